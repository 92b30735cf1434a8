import type { ChainPosition, Execution, Plan, VMBackup } from '../crds/vmbackup.ts';
import { bitmapSeconds } from './bitmap-name.ts';
import { outcomeOf } from './outcome.ts';
import { standingOf } from './standing.ts';

/** A backup whose data is committed: what the next one may build on. */
export interface GoodBackup {
  readonly name: string;
  readonly vmUid: string | undefined;
  readonly chain: ChainPosition;
  /** The bitmap that exists on the disks; undefined if no disk is tracked. */
  readonly bitmap: string | undefined;
  readonly path: string;
  readonly disks: readonly GoodDisk[];
  /** Whether someone asked for its deletion. */
  readonly isBeingDeleted: boolean;
  /** Whether its record was made from the repository, and not by whoever took it. */
  readonly isImported: boolean;
}

export interface GoodDisk {
  readonly volume: string;
  /** Whether the disk has a bitmap that began with this backup. */
  readonly tracked: boolean;
  /** UID of the PersistentVolumeClaim behind the disk then. */
  readonly claimUid: string | undefined;
}

/**
 * Finds the newest good backup of a VM in a repository: the only one that an incremental can build on, because the bitmaps on
 * the disks tell what changed since then. A backup that failed never counts, however new: it moved nothing.
 * @param backups VMBackups of the same namespace; those of other VMs and repositories are passed over
 */
export function newestGood(
  backups: readonly VMBackup[],
  vmName: string,
  repository: string,
): GoodBackup | undefined {
  let newest: { readonly order: number; readonly good: GoodBackup } | undefined;
  for (const backup of backups) {
    if (backup.spec.vmName !== vmName || backup.spec.repository !== repository) continue;
    const standing = standingOf(backup);
    if (standing.kind !== 'Succeeded') continue;
    // Bitmaps rise with each plan for the VM, so they tell the order of the points in time; clocks may not.
    const order = bitmapSeconds(standing.plan.bitmap) ?? -1;
    if (newest === undefined || order > newest.order) {
      newest = { order, good: goodBackup(backup, standing.plan, standing.execution) };
    }
  }
  return newest?.good;
}

/** Every bitmap name that was planned or made for a VM, in any repository, whatever came of it. */
export function bitmapsOf(backups: readonly VMBackup[], vmName: string): readonly string[] {
  return backups
    .filter((backup) => backup.spec.vmName === vmName)
    .flatMap(({ status }) => [status?.plan?.bitmap, status?.execution?.bitmapCreated])
    .filter((name) => name !== undefined);
}

function goodBackup(backup: VMBackup, plan: Plan, execution: Execution): GoodBackup {
  const claims = new Map(plan.disks.map((disk) => [disk.volume, disk.claim?.uid]));
  return {
    name: backup.metadata.name,
    vmUid: plan.vmUid,
    chain: outcomeOf(plan, execution, backup.metadata.uid).chain,
    bitmap: execution.bitmapCreated,
    path: plan.path,
    disks: (execution.disks ?? []).map(({ volume, tracked }) => ({
      volume,
      tracked,
      claimUid: claims.get(volume),
    })),
    isBeingDeleted: backup.metadata.deletionTimestamp !== undefined,
    isImported: backup.spec.imported !== undefined,
  };
}
