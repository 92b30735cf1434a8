import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';

/** Where the commands expect a repository that is not on every node already. */
export const MOUNT_POINT = '/mnt/tidemark';

/**
 * The commands that restore each volume of a backup, to be run where the repository can be read.
 * @param path the backup's directory below the repository's root
 * @param repository undefined if the user may not see it: then the repository must be mounted by someone who knows it
 */
export function restoreCommands(
  path: string,
  volumes: readonly string[],
  repository: VMBackupRepository | undefined,
): readonly string[] {
  const from = quoted(`${rootOf(repository)}/${path}`);
  return [
    ...mountCommand(repository),
    ...volumes.map(
      (volume) =>
        `tidemark-mover restore --from ${from} --volume ${quoted(volume)} --to ${quoted(`${volume}.raw`)}`,
    ),
  ];
}

/** The repository's root, as the commands see it. */
export function rootOf(repository: VMBackupRepository | undefined): string {
  return (repository?.spec.local?.path ?? MOUNT_POINT).replace(/(?<=.)\/+$/, '');
}

function mountCommand(repository: VMBackupRepository | undefined): readonly string[] {
  const nfs = repository?.spec.nfs;
  if (nfs === undefined) return [];
  const options = `ro,vers=${nfs.version}`;
  return [
    `mkdir -p ${MOUNT_POINT} && mount -t nfs -o ${options} ${quoted(`${nfs.server}:${nfs.path}`)} ${MOUNT_POINT}`,
  ];
}

/** One word for a POSIX shell. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
