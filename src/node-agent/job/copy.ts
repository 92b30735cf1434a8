import { posix } from 'node:path';
import { type BackupJobAt, backupJobOf } from '../../domain/backup-job.ts';
import { compressionOf } from '../../domain/compression.ts';
import type { Definitions } from '../../domain/definitions/describe.ts';
import type { BackupResult, ProgressEvent } from '../../domain/mover-report.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import type { AttemptFailed } from './attempt-failed.ts';
import { guardGuest, type Watch, type Wishes } from './guard.ts';
import { socketName } from './names.ts';
import { plannedDisks } from './observe-parent.ts';
import { progressOf } from './progress.ts';

/** How often progress is written to the object, in milliseconds: each write wakes everyone who watches it. */
const PROGRESS_EVERY_MS = 5000;

/** Copies the disks through the running job into the repository and commits them, while a guard watches over the guest. */
export async function copy(
  attempt: Attempt,
  vm: RunningVm,
  definitions: Definitions,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<BackupResult> {
  const { plan, report, log } = attempt;
  const job = moverJob(attempt, vm, definitions);
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const seen = new Map<string, ProgressEvent>();
  let writtenAt = 0;
  let heardAt = attempt.now().getTime();
  const progressAt = (now: number) =>
    progressOf([...seen.values()], plan.disks.length, now - Date.parse(report.execution.startedAt));
  const onProgress = (event: ProgressEvent) => {
    seen.set(event.volume, event);
    const now = attempt.now().getTime();
    heardAt = now;
    if (now - writtenAt < PROGRESS_EVERY_MS) return;
    writtenAt = now;
    const progress = progressAt(now);
    report.add({ progress }).catch((error: unknown) => log.warn({ err: error }, 'progress was not written'));
  };
  const copied = attempt.mover.backup(job, onProgress, both);
  const gaveWay: AttemptFailed[] = [];
  const watch: Watch = {
    wishes,
    copy: () => {
      const now = attempt.now().getTime();
      return { percent: progressAt(now).percent, silentMs: now - heardAt };
    },
    givesWay: (why) => gaveWay.push(why),
  };
  const guarded = guardGuest(attempt, vm, watch, both);
  try {
    return await Promise.race([copied, guarded]);
  } catch (error) {
    throw gaveWay[0] ?? error;
  } finally {
    stop.abort();
    // No clean-up before the mover is gone: it still writes until then.
    await Promise.allSettled([copied, guarded]);
  }
}

/** What the mover is told. */
function moverJob(
  { backup, plan, report, bandwidthLimit }: Attempt,
  { paths, domain }: RunningVm,
  definitions: Definitions,
): BackupJobAt {
  const { namespace = '', name, uid } = backup.metadata;
  const socket = posix.join(paths.sockets.outside, socketName(plan.bitmap));
  const targets = new Map(plannedDisks(plan, domain).map(({ volume, disk }) => [volume, disk.target]));
  const sourceOf = (volume: string) => `nbd+unix:///${targets.get(volume)}?socket=${socket}`;
  const job = backupJobOf(
    { name, namespace, uid, vmName: backup.spec.vmName },
    { plan, execution: report.execution },
    definitions,
    sourceOf,
  );
  return {
    ...job,
    ...compressionOf(backup.spec),
    ...(bandwidthLimit !== undefined && { limitBytesPerSecond: bandwidthLimit }),
  };
}
