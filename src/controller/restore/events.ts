import type { RestoreStep } from '../../domain/restore/step.ts';
import type { Desired } from '../../kube/conditions.ts';
import type { Event } from '../../kube/events.ts';

/** What the owner of a VMRestore is told when its condition changes. */
export function restoreEvent(
  step: RestoreStep,
  { reason, message }: Pick<Desired, 'reason' | 'message'>,
): Event {
  const isTrouble =
    step.kind === 'Fail' || step.kind === 'Undo' || (step.kind === 'Wait' && step.needsPerson);
  return { type: isTrouble ? 'Warning' : 'Normal', reason, action: 'Restore', note: message };
}
