import { escapeXml } from './xml.ts';

/** What a backup does with one disk. Disks left out of `domainbackup` would be guessed by libvirt, so every disk is listed. */
export type BackupDisk = ExcludedDisk | FullDisk | IncrementalDisk;

export interface ExcludedDisk {
  readonly target: string;
  readonly mode: 'no';
}

export interface FullDisk {
  readonly target: string;
  readonly mode: 'full';
  readonly exportName: string;
  /** A path inside the launcher pod that does not exist yet, not even as an empty file. */
  readonly scratch: string;
}

export interface IncrementalDisk extends Omit<FullDisk, 'mode'> {
  readonly mode: 'incremental';
  /** The checkpoint since which changes are wanted. */
  readonly incremental: string;
  /** The NBD metadata context is `qemu:dirty-bitmap:<exportBitmap>`. */
  readonly exportBitmap: string;
}

/** One pull backup. */
export interface BackupSpec {
  /** The NBD socket's path inside the launcher pod. */
  readonly socket: string;
  readonly disks: readonly BackupDisk[];
}

/** The checkpoint made in the same instant as the backup. */
export interface CheckpointSpec {
  readonly name: string;
  readonly disks: readonly { readonly target: string; readonly tracked: boolean }[];
}

/** `<domainbackup>` (https://libvirt.org/formatbackup.html), pull mode, with base and bitmap told disk by disk. */
export function backupXml(spec: BackupSpec): string {
  const server = `<server transport='unix' socket='${escapeXml(spec.socket)}'/>`;
  return `<domainbackup mode='pull'>${server}<disks>${spec.disks.map(backupDisk).join('')}</disks></domainbackup>`;
}

function backupDisk(disk: BackupDisk): string {
  const name = escapeXml(disk.target);
  if (disk.mode === 'no') return `<disk name='${name}' backup='no'/>`;
  const base =
    disk.mode === 'incremental'
      ? `backupmode='incremental' incremental='${escapeXml(disk.incremental)}' exportbitmap='${escapeXml(disk.exportBitmap)}'`
      : "backupmode='full'";
  const exported = `exportname='${escapeXml(disk.exportName)}'`;
  const scratch = `<scratch file='${escapeXml(disk.scratch)}'/>`;
  return `<disk name='${name}' backup='yes' type='file' ${base} ${exported}>${scratch}</disk>`;
}

/** `<domaincheckpoint>` (https://libvirt.org/formatcheckpoint.html); `creationTimeSeconds` only to redefine one. */
export function checkpointXml(
  spec: CheckpointSpec & { readonly creationTimeSeconds?: number | undefined },
): string {
  const time =
    spec.creationTimeSeconds === undefined ? '' : `<creationTime>${spec.creationTimeSeconds}</creationTime>`;
  const disks = spec.disks.map(
    ({ target, tracked }) => `<disk name='${escapeXml(target)}' checkpoint='${tracked ? 'bitmap' : 'no'}'/>`,
  );
  const name = `<name>${escapeXml(spec.name)}</name>`;
  return `<domaincheckpoint>${name}${time}<disks>${disks.join('')}</disks></domaincheckpoint>`;
}
