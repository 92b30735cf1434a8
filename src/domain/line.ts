import type { VMBackup } from '../crds/vmbackup.ts';
import { QUEUED } from './admission/contender.ts';
import { ATTEMPT_FAILED, isOver, isUnderWay, standingOf } from './standing.ts';
import type { World } from './world.ts';

/** Reason of a backup that waits for another one of the same VM. */
export const ANOTHER_RUNS = 'AnotherBackupRunning';

/** Whoever waits for one of these could begin when that is over. */
const IN_LINE: ReadonlySet<string> = new Set([ANOTHER_RUNS, QUEUED, ATTEMPT_FAILED]);

/**
 * The backup of the same VM that goes before this one; undefined if it is its turn. One at a time: whoever an agent may be working on
 * goes first, then the oldest that could begin. One that waits for something of its own (a repository, a volume that is not there)
 * does not hold up those behind it.
 */
export function firstInLine({ backup, backups }: Pick<World, 'backup' | 'backups'>): VMBackup | undefined {
  const others = backups.filter(
    (other) =>
      other.metadata.uid !== backup.metadata.uid &&
      other.metadata.namespace === backup.metadata.namespace &&
      other.spec.vmName === backup.spec.vmName &&
      !isOver(standingOf(other)),
  );
  return (
    others.find((other) => isUnderWay(standingOf(other))) ??
    others.find((other) => isBefore(other, backup) && holdsItsPlace(other))
  );
}

/** Whether a backup, as far as is known, could begin or begin again when it is its turn. */
function holdsItsPlace({ metadata, status }: VMBackup): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  const waits = status?.conditions?.find(({ type, status }) => type === 'Reconciling' && status === 'True');
  return waits === undefined || IN_LINE.has(waits.reason);
}

function isBefore(a: VMBackup, b: VMBackup): boolean {
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return aTime === bTime ? a.metadata.name < b.metadata.name : aTime < bTime;
}
