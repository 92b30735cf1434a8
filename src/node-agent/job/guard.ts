import { statfs } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type CopyView, type GuestVerdict, type GuestView, judgeGuest } from '../../domain/guest-first.ts';
import { readBlockErrors } from '../libvirt/block-errors.ts';
import { readState } from '../libvirt/domain.ts';
import { isRefusal } from '../libvirt/errors.ts';
import { readJobInfo } from '../libvirt/job.ts';
import type { Virsh } from '../libvirt/virsh.ts';
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

export interface Watch {
  readonly wishes: Wishes;
  /** How far the copy is. */
  readonly copy: () => CopyView;
  /** Told why before the job is ended: the mover then loses its source, and that is not the reason. */
  readonly givesWay: (why: AttemptFailed) => void;
}

/** How often the guest is looked at, in milliseconds: a full scratch file pauses it, and every second counts. */
const LOOK_EVERY_MS = 1000;
/** A guest whose QEMU says nothing for so long hangs, in milliseconds. */
const LOOK_PATIENCE_MS = 20_000;

/**
 * Watches over the guest until the signal aborts. When the backup must give way, the job is ended first, which frees the
 * scratch files, and then the guest runs on.
 *
 * @throws AttemptFailed with the reason why the backup gave way.
 */
export async function guardGuest(
  attempt: Attempt,
  vm: RunningVm,
  watch: Watch,
  signal: AbortSignal,
): Promise<never> {
  const wasPaused = vm.domain.pausedReason === 'ioError';
  let scratchUsedBytes = 0;
  const look = async (): Promise<GuestVerdict> => {
    const seen = await see(vm, watch, wasPaused, signal);
    const scratchGrowthBytes = Math.max(0, seen.scratchUsedBytes - scratchUsedBytes);
    scratchUsedBytes = seen.scratchUsedBytes;
    return judgeGuest({ ...seen, scratchGrowthBytes }, attempt.limits);
  };
  for (;;) {
    await sleep(LOOK_EVERY_MS, undefined, { signal });
    const verdict = await look().catch((error: unknown): GuestVerdict => {
      signal.throwIfAborted();
      if (isRefusal(error, 'ClientTimeout')) return SILENT;
      // The domain may be gone, or libvirt be starting again: the mover finds out which, from its socket.
      attempt.log.debug({ err: error }, 'could not look at the guest');
      return { kind: 'GoOn' };
    });
    if (verdict.kind === 'GoOn') continue;
    const why = new AttemptFailed(verdict.reason, verdict.message);
    watch.givesWay(why);
    // QEMU may wait for the mover to take an answer: then it ends no job before the mover is gone.
    if (verdict.reason !== SILENT.reason) await endJob(attempt, vm);
    throw why;
  }
}

/** Whenever QEMU has to settle all that is under way, such as to pause, it waits for whoever reads from it: the mover, and its repository. */
const SILENT = {
  kind: 'Abort',
  reason: 'GuestSilent',
  message: `QEMU gave no answer for ${LOOK_PATIENCE_MS / 1000} s while the copy ran: the backup gives way, in case that is what it waits for.`,
} as const satisfies GuestVerdict;

async function see(
  { virsh: patient, domain, paths }: RunningVm,
  { wishes, copy }: Watch,
  wasPaused: boolean,
  signal: AbortSignal,
): Promise<Omit<GuestView, 'scratchGrowthBytes'>> {
  const virsh: Virsh = (args, call, until) => patient(args, { ...call, timeoutMs: LOOK_PATIENCE_MS }, until);
  const state = await readState(virsh, domain.name, signal);
  const pausedByIoError = state.pausedReason === 'ioError';
  const errors = pausedByIoError ? await readBlockErrors(virsh, domain.name, signal) : [];
  const job = await readJobInfo(virsh, domain.name, signal);
  const disk = await statfs(paths.scratch.outside);
  return {
    ...{ paused: state.state === 'paused', pausedByIoError, wasPaused },
    disksInError: errors.map(({ target }) => target),
    scratchUsedBytes: job.temporaryBytes,
    scratchFreeBytes: disk.bavail * disk.bsize,
    copy: copy(),
    migrationWanted: wishes.migrationWanted(),
    deletionWanted: wishes.deletionWanted(),
    superseded: wishes.superseded(),
  };
}
