import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { standingOf } from '../../domain/standing.ts';
import { MOUNT_POINT, restoreCommands } from './restore-commands.ts';
import type { Section } from './section.ts';

/** Where the data is, and how to get the volumes back. */
export function dataSections(
  backup: VMBackup,
  repository: VMBackupRepository | undefined,
): readonly Section[] {
  const standing = standingOf(backup);
  const title = 'Where the data is';
  const where = repositoryLine(backup.spec.repository, repository);
  if (standing.kind !== 'Succeeded') {
    const nothing =
      standing.kind === 'Failed'
        ? 'There is no data: the backup failed.'
        : 'There is no data yet: the backup is not complete.';
    return [{ title, lines: [nothing, where] }];
  }
  const { path, disks: planned, leftOut = [] } = standing.plan;
  const volumes = (standing.execution.disks ?? planned).map(({ volume }) => volume);
  const hint =
    repository === undefined
      ? `Mount the repository at ${MOUNT_POINT} first, where tidemark-mover is installed; then:`
      : 'Run where the repository can be read and tidemark-mover is installed:';
  return [
    { title, lines: [where, `Path: ${path}`, ...leftOut.map((each) => `Not in it: ${each}`)] },
    {
      title: 'How to restore it by hand',
      lines: [hint, ...restoreCommands(path, volumes, repository).map((command) => `  ${command}`)],
    },
  ];
}

function repositoryLine(name: string, repository: VMBackupRepository | undefined): string {
  if (repository === undefined) {
    return `Repository: ${name} (you may not see it, or it is gone; its administrator knows where it is)`;
  }
  const { nfs, local } = repository.spec;
  const place =
    nfs === undefined
      ? `directory ${local?.path ?? ''} of the nodes`
      : `${nfs.server}:${nfs.path} (NFS ${nfs.version})`;
  return `Repository: ${name}, ${place}`;
}
