/** Names in the repository: `<cluster id>/<namespace>/<vm>-<uid8>/<backup id>`, relative to its root. */

/** Who and what a backup is of, as far as its place in the repository goes. */
export interface BackupPlace {
  readonly clusterId: string;
  readonly namespace: string;
  readonly vmName: string;
  readonly vmUid: string;
  readonly backupUid: string;
  /** RFC 3339: when the VMBackup was created. */
  readonly backupCreatedAt: string;
}

/** The first eight characters of a UID: enough to tell apart two objects that bore the same name. */
export function uid8(uid: string): string {
  return uid.slice(0, 8);
}

/** The directory of one VM: a VM that was deleted and made again gets another one. */
export function vmDirectory(vmName: string, vmUid: string): string {
  return `${vmName}-${uid8(vmUid)}`;
}

/**
 * The directory of one backup, such as `20261123T174745Z-1f2aebca`: sorts by time. It depends on the VMBackup alone and not on
 * the attempt, so a retry, or an agent that restarts, finds what was begun.
 */
export function backupId(createdAt: string, backupUid: string): string {
  const second = new Date(createdAt).toISOString().slice(0, 19);
  return `${second.replaceAll(/[-:]/g, '')}Z-${uid8(backupUid)}`;
}

/** The whole path of one backup below the repository's root. */
export function backupPath(place: BackupPlace): string {
  return [
    place.clusterId,
    place.namespace,
    vmDirectory(place.vmName, place.vmUid),
    backupId(place.backupCreatedAt, place.backupUid),
  ].join('/');
}

/** The directory of the VM that a backup's path lies in. */
export function vmDirectoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
