import type { Execution, Plan } from '../crds/vmbackup.ts';
import type { Definitions } from './definitions/describe.ts';
import type { BackupJobInput } from './mover-job.ts';
import { outcomeOf } from './outcome.ts';

/** A job whose paths are relative to the repository's root. */
export type BackupJobAt = Omit<BackupJobInput, 'directory'> & { readonly path: string };

/** Which VMBackup, of which VM. */
export interface BackupIdentity {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly vmName: string;
}

/**
 * What the mover is told. Whatever stands in the manifest is what the status says, from the same functions.
 * @param sourceOf the NBD address of a volume
 */
export function backupJobOf(
  { name, namespace, uid, vmName }: BackupIdentity,
  { plan, execution }: { readonly plan: Plan; readonly execution: Execution },
  definitions: Definitions,
  sourceOf: (volume: string) => string,
): BackupJobAt {
  const outcome = outcomeOf(plan, execution, uid);
  const planned = new Map(plan.disks.map((disk) => [disk.volume, disk]));
  const parent = plan.disks.find((disk) => disk.parentPath !== undefined)?.parentPath;
  const incremental = outcome.type === 'Incremental' && plan.parent !== undefined && parent !== undefined;
  return {
    path: plan.path,
    attempt: plan.attempt,
    manifest: {
      backup: {
        id: lastOf(plan.path),
        name,
        namespace,
        uid,
        createdAt: execution.pointInTime ?? execution.startedAt,
      },
      // The path was planned as <cluster id>/<namespace>/<vm>/<backup id>.
      cluster: plan.path.split('/')[0] ?? '',
      vm: { name: vmName, namespace, uid: definitions.vmUid },
      chain: outcome.chain,
      type: outcome.type,
      reason: outcome.typeReason,
      message: execution.incrementalFallback?.message ?? plan.message,
      bitmap: execution.bitmapCreated ?? null,
      parent: incremental && plan.parent ? { name: plan.parent.name, id: lastOf(parent) } : null,
      definitions: definitions.objects,
    },
    files: [...definitions.files],
    volumes: (execution.disks ?? []).map(({ volume, type, reason }) => {
      const source = sourceOf(volume);
      const parentPath = planned.get(volume)?.parentPath;
      if (type === 'Full' || parentPath === undefined || plan.parent === undefined) {
        return { name: volume, source, reason, type: 'Full' };
      }
      const bitmap = plan.parent.bitmap;
      return { name: volume, source, reason, type: 'Incremental', bitmap, parent: parentPath };
    }),
  };
}

function lastOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
