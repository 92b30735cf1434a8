import type { VMBackup, VMBackupStatus } from '../../crds/vmbackup.ts';
import { bitmapSeconds } from '../bitmap-name.ts';
import { IMPORTED_LABEL, labelValue, VM_LABEL } from '../labels.ts';
import { vmDirectoryOf } from '../names.ts';
import { clip } from '../why.ts';
import type { BriefBackup } from './brief.ts';

/** A backup in the repository whose manifest is good. */
export type KnownBackup = BriefBackup & { readonly backup: NonNullable<BriefBackup['backup']> };

/** `<cluster>/<namespace>/<vm>/<backup>`: whose it is says its place, which only Tidemark writes. */
export function placeOf(path: string): { readonly cluster: string; readonly namespace: string } {
  const [cluster = '', namespace = ''] = path.split('/');
  return { cluster, namespace };
}

/** The spec and labels of a VMBackup that is made from what lies in the repository. Nothing runs for it. */
export function importedObject(repository: string, { path, backup }: KnownBackup, name: string) {
  const { cluster, namespace } = placeOf(path);
  return {
    metadata: {
      namespace,
      name,
      labels: { [IMPORTED_LABEL]: 'true', [VM_LABEL]: labelValue(backup.vm.name) },
    },
    spec: {
      vmName: backup.vm.name,
      repository,
      type: backup.type === 'Full' ? ('Full' as const) : ('Auto' as const),
      imported: { cluster, path, uid: backup.uid },
    },
  };
}

/**
 * What the status of an imported VMBackup says: all that a restore needs. No disk counts as tracked and no bitmap as made, for nothing
 * in the repository proves what is on the disks now: so no incremental is ever put on top.
 * @param importedAt when the object was made, RFC 3339
 */
export function importedStatus(
  { path, backup }: KnownBackup,
  importedAt: string | undefined,
): Pick<VMBackupStatus, 'plan' | 'execution'> {
  const attempt = Math.min(Math.max(1, backup.attempt), 1000);
  return {
    plan: {
      attempt,
      vmUid: short(backup.vm.uid),
      // No node's agent watches this.
      nodeName: '',
      type: backup.type,
      reason: word(backup.reason),
      message: clip(backup.message),
      chain: { id: short(backup.chain.id), position: backup.chain.position },
      bitmap: bitmapUpTo(importedAt, backup.bitmap),
      path,
      disks: backup.volumes.map(({ name, type, reason, parent }) => ({
        volume: name,
        type,
        reason: word(reason),
        ...(parent !== null && { parentPath: `${vmDirectoryOf(path)}/${parent}` }),
      })),
    },
    execution: {
      attempt,
      agent: '',
      startedAt: backup.createdAt,
      pointInTime: backup.createdAt,
      completedAt: backup.completedAt,
      disks: backup.volumes.map(({ name, type, reason, sizeBytes, dataBytes, zeroBytes, storedBytes }) => ({
        volume: name,
        type,
        reason: word(reason),
        tracked: false,
        sizeBytes,
        dataBytes,
        zeroBytes,
        storedBytes,
      })),
    },
  };
}

/** Whether a VMBackup was made from this backup, or made it. Who writes one himself gets nothing of another namespace. */
export function isObjectOf({ metadata, spec }: VMBackup, { path, backup }: KnownBackup): boolean {
  if (metadata.namespace !== placeOf(path).namespace) return false;
  if (spec.imported !== undefined) return spec.imported.path === path && spec.imported.uid === backup.uid;
  return metadata.uid === backup.uid;
}

/** The order of a VM's backups is that of their bitmaps, and the next gets a higher one: a made-up one would be the newest for ever. */
function bitmapUpTo(importedAt: string | undefined, bitmap: string | null): string {
  const seconds = bitmapSeconds(bitmap ?? '');
  if (bitmap === null || seconds === undefined) return '';
  return seconds * 1000 <= (Date.parse(importedAt ?? '') || 0) ? bitmap : '';
}

/** A condition must have a reason, and a manifest that another program wrote may have none. */
function word(reason: string): string {
  return short(reason) || 'NotTold';
}

/** What a status takes of a word. */
function short(text: string): string {
  return text.slice(0, 64);
}
