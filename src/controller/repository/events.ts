import type { VMBackupRepository, VMBackupRepositoryStatus } from '../../crds/vmbackuprepository.ts';
import { conditionOf } from '../../kube/conditions.ts';
import type { Event } from '../../kube/events.ts';

/** What is worth telling of a repository: that it became ready or not, and that its space runs out or no longer does. */
export function repositoryEvents(
  { status: before }: VMBackupRepository,
  after: Pick<VMBackupRepositoryStatus, 'conditions'>,
): readonly Event[] {
  const ready = conditionOf(after.conditions, 'Ready');
  const space = conditionOf(after.conditions, 'LowSpace');
  const spaceBefore = conditionOf(before?.conditions, 'LowSpace');
  const changes = [
    ready?.reason === conditionOf(before?.conditions, 'Ready')?.reason ? undefined : ready,
    // That there is enough is news only after there was not.
    space?.status === (spaceBefore?.status ?? 'False') ? undefined : space,
  ];
  return changes.flatMap((condition) => {
    if (condition === undefined) return [];
    const isGood = (condition.status === 'True') === (condition.type === 'Ready');
    const { reason, message } = condition;
    return [
      { type: isGood ? ('Normal' as const) : ('Warning' as const), reason, action: 'Check', note: message },
    ];
  });
}
