import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type GuestVerdict, judgeGuest } from '../../domain/guest-first.ts';
import { readState } from '../libvirt/domain.ts';
import { readJobInfo } from '../libvirt/job.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed } from './attempt-failed.ts';
import { endJob } from './end-job.ts';

/** What the caches say about the objects while a copy runs. */
export interface Wishes {
  readonly migrationWanted: () => boolean;
  readonly deletionWanted: () => boolean;
  /** Whether the controller has given up this attempt, or planned another one. */
  readonly superseded: () => boolean;
}

/** How often the guest is looked at, in milliseconds: a full scratch file pauses it, and every second counts. */
const LOOK_EVERY_MS = 1000;

/**
 * Watches over the guest until the signal aborts. When the backup must give way, the job is ended first, which frees the
 * scratch files, and then the guest runs on.
 *
 * @param givesWay told why before the job is ended: the mover then loses its source, and that is not the reason
 * @throws AttemptFailed with the reason why the backup gave way.
 */
export async function guardGuest(
  attempt: Attempt,
  vm: RunningVm,
  wishes: Wishes,
  givesWay: (why: AttemptFailed) => void,
  signal: AbortSignal,
): Promise<never> {
  const wasPaused = vm.domain.pausedReason === 'ioError';
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    const verdict = await look(attempt, vm, wishes, wasPaused, signal);
    if (verdict.kind === 'GoOn') continue;
    const why = new AttemptFailed(verdict.reason, verdict.message);
    givesWay(why);
    await endJob(attempt, vm);
    throw why;
  }
}

async function look(
  { limits, log }: Attempt,
  { virsh, domain, paths }: RunningVm,
  wishes: Wishes,
  wasPaused: boolean,
  signal: AbortSignal,
): Promise<GuestVerdict> {
  try {
    const state = await readState(virsh, domain.name, signal);
    const job = await readJobInfo(virsh, domain.name, signal);
    const disk = await statfs(paths.scratch.outside);
    const view = {
      paused: state.state === 'paused',
      pausedByIoError: state.pausedReason === 'ioError',
      wasPaused,
      scratchUsedBytes: job.temporaryBytes,
      scratchFreeBytes: disk.bavail * disk.bsize,
      migrationWanted: wishes.migrationWanted(),
      deletionWanted: wishes.deletionWanted(),
      superseded: wishes.superseded(),
    };
    return judgeGuest(view, limits);
  } catch (error) {
    signal.throwIfAborted();
    // The domain may be gone, or libvirt be starting again: the mover finds out which, from its socket.
    log.debug({ err: error }, 'could not look at the guest');
    return { kind: 'GoOn' };
  }
}
