import type { VMBackup } from '../crds/vmbackup.ts';
import { ATTEMPT_FAILED, isOver, isUnderWay, standingOf } from './standing.ts';
import type { World } from './world.ts';

/** Reason of a backup that waits for its turn. */
export const QUEUED = 'AnotherBackupRunning';

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
  return waits === undefined || waits.reason === QUEUED || waits.reason === ATTEMPT_FAILED;
}

function isBefore(a: VMBackup, b: VMBackup): boolean {
  const [aTime, bTime] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return aTime === bTime ? a.metadata.name < b.metadata.name : aTime < bTime;
}
