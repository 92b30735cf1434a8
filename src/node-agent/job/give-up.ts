import { trackable } from '../libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../libvirt/ensure-absent.ts';
import type { Attempt, RunningVm } from './attempt.ts';
import { AttemptFailed, reasonOf } from './attempt-failed.ts';
import { endJob } from './end-job.ts';
import { tryTo } from './try-to.ts';

/**
 * After a failure: undoes what was begun, and reports. A bitmap that may be left is told, so that the next plan names it among
 * those to be removed.
 */
export async function giveUp(
  attempt: Attempt,
  vm: RunningVm | undefined,
  failure: unknown,
  signal: AbortSignal,
): Promise<void> {
  const { plan, report, log } = attempt;
  log.warn({ err: failure, reason: reasonOf(failure) }, 'attempt failed');
  const removed = await undo(attempt, vm, signal);
  const message = failure instanceof Error ? failure.message : String(failure);
  const { bitmapCreated: _, ...execution } = report.execution;
  // No job begins before it is reported what each disk gets.
  const mayBeLeft = !removed && execution.disks !== undefined;
  await report.end({
    ...execution,
    ...(mayBeLeft ? { bitmapCreated: plan.bitmap } : {}),
    error: {
      reason: reasonOf(failure).slice(0, 64),
      message: message.slice(0, 1024),
      final: failure instanceof AttemptFailed && failure.final,
    },
    completedAt: attempt.now().toISOString(),
  });
}

/**
 * Ends the job, lets the guest run on, deletes the new checkpoint (it stands for data that nobody holds), keeps the parent's,
 * and removes what was written. What cannot be undone now is logged. Resolves to whether the new checkpoint is gone.
 */
export async function undo(
  attempt: Attempt,
  vm: RunningVm | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  const { plan, mover, log } = attempt;
  let removed = false;
  if (vm) {
    const { virsh, domain } = vm;
    const targets = domain.disks.filter(trackable).map(({ target }) => target);
    await tryTo(log, 'end the backup job', () => endJob(attempt, vm, signal));
    removed = await tryTo(log, 'delete the new checkpoint', () =>
      ensureCheckpointAbsent(virsh, domain.name, { name: plan.bitmap, targets }, signal),
    );
  }
  await tryTo(log, 'remove unfinished data', () => mover.discard(plan.path, signal));
  return removed;
}
