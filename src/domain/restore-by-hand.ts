import type { VMBackup } from '../crds/vmbackup.ts';
import type { VMBackupRepository } from '../crds/vmbackuprepository.ts';
import type { VMRestore } from '../crds/vmrestore.ts';
import { standingOf } from './standing.ts';
import { clip, type Why } from './why.ts';

/** What the answer to a VMRestore looks at. */
export interface RestoreWorld {
  readonly restore: VMRestore;
  /** The backup that `source.backupName` names. */
  readonly backup: VMBackup | undefined;
  readonly repository: VMBackupRepository | undefined;
}

/** Where an NFS export is mounted, in the commands we tell. */
const MOUNT_POINT = '/mnt/tidemark';

/** The answer to a VMRestore as long as nothing carries it out: the very commands that do it. */
export function restoreByHand({ restore, backup, repository }: RestoreWorld): Why {
  const { backupName, repositoryPath } = restore.spec.source;
  const standing = backup && standingOf(backup);
  if (backupName !== undefined && standing?.kind !== 'Succeeded') {
    const state =
      standing === undefined ? 'does not exist in this namespace' : `has no data (${standing.kind})`;
    return {
      reason: 'BackupNotUsable',
      message: `VMBackup '${backupName}' ${state}: name one that 'kubectl get tmb' shows as Succeeded.`,
    };
  }
  const path = standing?.kind === 'Succeeded' ? standing.plan.path : (repositoryPath?.path ?? '');
  const volumes = standing?.kind === 'Succeeded' ? standing.plan.disks.map(({ volume }) => volume) : [];
  return { reason: 'RestoreByHand', message: commands(path, volumes, repository) };
}

function commands(
  path: string,
  volumes: readonly string[],
  repository: VMBackupRepository | undefined,
): string {
  const nfs = repository?.spec.nfs;
  const root = repository?.spec.local?.path ?? MOUNT_POINT;
  const mount = nfs === undefined ? '' : ` mount -t nfs -o ro ${nfs.server}:${nfs.path} ${root};`;
  const volume = volumes[0] ?? 'VOLUME';
  const each = volumes.length > 1 ? ` The same for each of its volumes: ${volumes.join(', ')}.` : '';
  return clip(
    'This release does not carry out VMRestores. By hand, where the repository can be read:' +
      `${mount} tidemark-mover restore --from '${root}/${path}' --volume ${volume} --to ${volume}.raw;` +
      ` or without Tidemark: qemu-img convert -O raw '${root}/${path}/${volume}.qcow2' ${volume}.raw.${each}`,
  );
}
