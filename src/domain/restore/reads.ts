import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMRestore } from '../../crds/vmrestore.ts';

/** Whether a restore reads this very backup; one that is over reads nothing any more. */
export function isReadBy({ metadata, spec, status }: VMBackup, restore: VMRestore): boolean {
  if (restore.status?.completedAt !== undefined) return false;
  const { backupName, repositoryPath } = restore.spec.source;
  if (backupName === metadata.name && restore.metadata.namespace === metadata.namespace) return true;
  // A backup that was made again under this name is not what the plan meant.
  const { repository, path } = restore.status?.plan ?? repositoryPath ?? {};
  return path !== undefined && path === status?.plan?.path && repository === spec.repository;
}
