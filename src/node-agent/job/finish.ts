import { setTimeout as sleep } from 'node:timers/promises';
import { withCounts } from '../../domain/disk-counts.ts';
import type { VolumeResult } from '../../domain/mover-report.ts';
import { trackable } from '../libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import { isRefusal } from '../libvirt/errors.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { endJob } from './end-job.ts';
import { tryTo } from './try-to.ts';

/** A libvirtd that died is there again before that, and the next backup may be a day away. */
const LIBVIRT_RESTARTS_SECONDS = 10;

/**
 * After the commit: ends libvirt's job, removes the checkpoints that the new one replaces, and reports. Only now may the
 * parent's checkpoint go, for only now is there data that no longer needs it. A checkpoint that cannot be removed does not keep
 * the success from being told: the next plan names it again.
 *
 * @param vm undefined when the VM is gone by now: its data is safe all the same.
 */
export async function finish(
  attempt: Attempt,
  vm: RunningVm | undefined,
  volumes: readonly VolumeResult[],
  signal: AbortSignal,
): Promise<void> {
  const { plan, mover, report, log } = attempt;
  if (vm) {
    await endJob(attempt, vm, signal);
    await removeObsolete(attempt, vm, signal);
  }
  await tryTo(log, 'remove what other attempts left', () => mover.discard(plan.path, signal));
  const disks = withCounts(report.execution.disks ?? [], volumes);
  const bytes = disks.reduce((sum, disk) => sum + (disk.sizeBytes ?? 0), 0);
  const progress = { ...report.execution.progress, percent: 100, doneBytes: bytes, totalBytes: bytes };
  await report.end({ ...report.execution, disks, progress, completedAt: attempt.now().toISOString() });
  log.info({ path: plan.path }, 'backup committed');
}

/** Removes the checkpoints of earlier backups of this chain and of those it replaces: only the head remains, if there is one. */
async function removeObsolete(
  { plan, report, log }: Attempt,
  { virsh, domain }: RunningVm,
  signal: AbortSignal,
): Promise<void> {
  const targets = domain.disks.filter(trackable).map(({ target }) => target);
  const parent = plan.parent ? [plan.parent.bitmap] : [];
  const names = new Set([...(plan.obsoleteBitmaps ?? []), ...parent, plan.bitmap]);
  names.delete(report.execution.bitmapCreated ?? '');
  let waits = LIBVIRT_RESTARTS_SECONDS;
  const remove = async (name: string): Promise<void> => {
    for (;;) {
      try {
        return await ensureCheckpointAbsent(virsh, domain.name, { name, targets }, signal);
      } catch (error) {
        if (!isRefusal(error, 'ConnectFailed') || waits === 0) throw error;
        waits -= 1;
        await sleep(1000, undefined, { signal });
      }
    }
  };
  for (const name of names) await tryTo(log, `remove the checkpoint ${name}`, () => remove(name));
}
