import { NotFound } from '../../kube/errors.ts';
import { trackable } from '../libvirt/domain-xml.ts';
import { resumeDomain, readState } from '../libvirt/domain.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed, reasonOf } from './attempt-failed.ts';
import { endJob } from './finish.ts';

/**
 * After a failure: ends the job, deletes the new checkpoint (it stands for data that nobody holds), keeps the parent's, lets
 * the guest run on, removes what was written, and reports. What cannot be undone now is logged: the next attempt tries again.
 */
export async function giveUp(
  attempt: Attempt,
  vm: RunningVm | undefined,
  failure: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { plan, mover, report, log } = attempt;
  log.warn({ err: failure, reason: reasonOf(failure) }, 'attempt failed');
  const undo = async (what: string, action: () => Promise<unknown>) => {
    try {
      await action();
      return true;
    } catch (error) {
      log.warn({ err: error }, `${what} failed`);
      return false;
    }
  };
  let bitmapLeft = false;
  if (vm) {
    const { virsh, domain } = vm;
    const targets = domain.disks.filter(trackable).map(({ target }) => target);
    await undo('ending the backup job', () => endJob(attempt, vm, signal));
    bitmapLeft = !(await undo('deleting the new checkpoint', () =>
      ensureCheckpointAbsent(virsh, domain.name, { name: plan.bitmap, targets }, signal),
    ));
    await undo('resuming the guest', () => resumeIfOurs(vm, signal));
  }
  await undo('removing unfinished data', () => mover.discard(plan.path, signal));
  const message = failure instanceof Error ? failure.message : String(failure);
  const { bitmapCreated: _, ...execution } = report.execution;
  const error = {
    reason: reasonOf(failure).slice(0, 64),
    message: message.slice(0, 1024),
    final: failure instanceof AttemptFailed && failure.final,
  };
  const kept =
    bitmapLeft && report.execution.bitmapCreated ? { bitmapCreated: report.execution.bitmapCreated } : {};
  try {
    await report.replace({ ...execution, ...kept, error, completedAt: attempt.now().toISOString() });
  } catch (gone) {
    // A deleted VMBackup needs no report.
    if (!(gone instanceof NotFound)) throw gone;
  }
}

/** A guest that ran when the backup began, and is paused with an I/O error now, was paused by our scratch file. */
async function resumeIfOurs({ virsh, domain }: RunningVm, signal: AbortSignal): Promise<void> {
  if (domain.state === 'paused') return;
  const { state, pausedReason } = await readState(virsh, domain.name, signal);
  if (state === 'paused' && pausedReason === 'ioError') await resumeDomain(virsh, domain.name, signal);
}
