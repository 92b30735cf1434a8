import type { VMBackup } from '../../crds/vmbackup.ts';
import { newestGood } from '../../domain/chain.ts';
import { outcomeOf } from '../../domain/outcome.ts';
import { isOver, isUnderWay, standingOf } from '../../domain/standing.ts';
import type { Current, LastFailure, LastGood } from './vm-status.ts';

/** What the VMBackups of one VM tell. */
export interface History {
  readonly lastGood: LastGood | undefined;
  readonly current: Current | undefined;
  readonly lastFailure: LastFailure | undefined;
}

/**
 * Reads the history of one VM.
 * @param backups its VMBackups, in any order
 * @param vmUid the VM as it is today: backups of another VM that bore its name restore something else. Undefined: any.
 */
export function historyOf(vmName: string, backups: readonly VMBackup[], vmUid: string | undefined): History {
  const lastGood = findLastGood(vmName, backups, vmUid);
  return { lastGood, current: findCurrent(backups), lastFailure: findLastFailure(backups, lastGood) };
}

function findLastGood(
  vmName: string,
  backups: readonly VMBackup[],
  vmUid: string | undefined,
): LastGood | undefined {
  const usable = backups.filter(
    ({ metadata, status }) =>
      metadata.deletionTimestamp === undefined &&
      (vmUid === undefined || status?.plan?.vmUid === undefined || status.plan.vmUid === vmUid),
  );
  const repositories = [...new Set(usable.map(({ spec }) => spec.repository))];
  return repositories
    .map((repository) => newestGood(usable, vmName, repository)?.name)
    .map((name) => usable.find(({ metadata }) => metadata.name === name))
    .flatMap((backup) => (backup === undefined ? [] : [asLastGood(backup)]))
    .reduce<LastGood | undefined>((best, next) => (isLater(next?.at, best?.at) ? next : best), undefined);
}

function asLastGood(backup: VMBackup): LastGood | undefined {
  const standing = standingOf(backup);
  if (standing.kind !== 'Succeeded') return undefined;
  const { plan, execution } = standing;
  const { type, chain } = outcomeOf(plan, execution, backup.metadata.uid);
  return {
    name: backup.metadata.name,
    at: execution.pointInTime ?? execution.startedAt,
    type,
    position: chain.position,
    repository: backup.spec.repository,
  };
}

/** The one that an agent has, or else the one that waits longest. */
function findCurrent(backups: readonly VMBackup[]): Current | undefined {
  const open = backups.filter((backup) => !isOver(standingOf(backup))).sort(byCreation);
  const chosen = open.find((backup) => isUnderWay(standingOf(backup))) ?? open[0];
  return chosen && asCurrent(chosen);
}

function asCurrent(backup: VMBackup): Current {
  const { name } = backup.metadata;
  const standing = standingOf(backup);
  if (standing.kind === 'Running') {
    const percent = standing.execution.progress?.percent;
    return { name, state: 'Running', ...(percent !== undefined && { percent }) };
  }
  if (standing.kind === 'Assigned') return { name, state: 'Assigned' };
  if (standing.kind === 'AttemptFailed') {
    const { reason, message } = standing.why;
    return { name, state: 'Retrying', reason, message };
  }
  const waits = backup.status?.conditions?.find(
    ({ type, status }) => type === 'Reconciling' && status === 'True',
  );
  return { name, state: 'Pending', ...(waits && { reason: waits.reason, message: waits.message }) };
}

function findLastFailure(
  backups: readonly VMBackup[],
  lastGood: LastGood | undefined,
): LastFailure | undefined {
  let last: Omit<LastFailure, 'isOvercome'> | undefined;
  for (const backup of backups) {
    const standing = standingOf(backup);
    if (standing.kind !== 'Failed') continue;
    const at = failedAt(backup);
    const { reason, message } = standing.why;
    if (isLater(at, last?.at)) last = { name: backup.metadata.name, at, reason, message };
  }
  return last && { ...last, isOvercome: isLater(lastGood?.at, last.at) };
}

function failedAt({ metadata, status }: VMBackup): string {
  const stalled = status?.conditions?.find(({ type }) => type === 'Stalled');
  return stalled?.lastTransitionTime ?? status?.execution?.completedAt ?? metadata.creationTimestamp ?? '';
}

/** Compares instants: not all of our times have fractions of a second. */
function isLater(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined) return false;
  return b === undefined || Date.parse(a) > Date.parse(b);
}

function byCreation(a: VMBackup, b: VMBackup): number {
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (aTime !== bTime) return aTime < bTime ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}
