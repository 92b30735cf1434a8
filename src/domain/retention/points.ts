import type { VMBackup } from '../../crds/vmbackup.ts';
import { bitmapSeconds } from '../bitmap-name.ts';
import { storedBytes } from '../columns.ts';
import { standingOf } from '../standing.ts';
import type { Point } from './policy.ts';

/** What the points of a schedule are taken from. */
export interface PointsQuestion {
  /** All VMBackups of one VM. */
  readonly backups: readonly VMBackup[];
  readonly repository: string;
  /** Whether the policy decides on a backup. */
  readonly decides: (backup: VMBackup) => boolean;
  /** Whether a directory is known to be damaged, or to stand on a damaged one. */
  readonly isDamaged: (path: string, chainId: string) => boolean;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * The points of a VM in a repository: what is committed and not already going. A backup that failed, however new, is none: it
 * holds nothing, and counts for nothing. Nor is one under way.
 */
export function pointsOf({ backups, repository, decides, isDamaged, now }: PointsQuestion): readonly Point[] {
  const times = timesOf(backups, now);
  return backups.flatMap((backup) => {
    const { metadata, spec, status } = backup;
    const standing = standingOf(backup);
    if (spec.repository !== repository || standing.kind !== 'Succeeded') return [];
    const { plan, execution } = standing;
    const held = spec.hold === true;
    // A held tombstone goes nowhere, so what it stands on stays.
    if (metadata.deletionTimestamp !== undefined && !held) return [];
    return [
      {
        name: metadata.name,
        path: plan.path,
        parents: parentsOf(backup),
        takenAt: times.get(backup) ?? now,
        bytes: storedBytes(execution) ?? 0,
        tags: spec.tags ?? [],
        held,
        damaged: isDamaged(plan.path, status?.chain?.id ?? plan.chain.id),
        decided: metadata.deletionTimestamp === undefined && decides(backup),
      },
    ];
  });
}

/**
 * When each backup was taken. The node's clock says so, and may be wrong: a year ahead would make all others old, a year behind would
 * make the newest the oldest. So none is before its object was made, by the API server's clock, or after the one that was planned next.
 */
function timesOf(backups: readonly VMBackup[], now: number): ReadonlyMap<VMBackup, number> {
  const times = new Map<VMBackup, number>();
  let latest = now;
  for (const backup of backups.toSorted((a, b) => orderOf(b) - orderOf(a))) {
    const { pointInTime, startedAt } = backup.status?.execution ?? {};
    const isImported = backup.spec.imported !== undefined;
    const made = isImported ? 0 : Date.parse(backup.metadata.creationTimestamp ?? '') || 0;
    const told = Date.parse(pointInTime ?? startedAt ?? '') || 0;
    const time = Math.min(Math.max(told, made), latest);
    times.set(backup, time);
    // Of those that were imported nobody knows by which clock they were planned.
    if (!isImported && orderOf(backup) >= 0 && told > 0) latest = time - 1;
  }
  return times;
}

/** Bitmaps rise with each plan for the VM. */
function orderOf({ status }: VMBackup): number {
  return bitmapSeconds(status?.plan?.bitmap ?? '') ?? -1;
}

/** The directories that the images of a backup stand on: of each disk, for a fallback makes single disks full. */
export function parentsOf({ status }: VMBackup): readonly string[] {
  const { chain, disks: executed = [] } = status?.execution ?? {};
  // What an earlier attempt committed stands on what its manifest names, and not on what is planned by now.
  if (chain !== undefined) return [...new Set(executed.flatMap(({ parentPath }) => parentPath ?? []))];
  const full = new Set(executed.filter(({ type }) => type === 'Full').map(({ volume }) => volume));
  const paths = (status?.plan?.disks ?? [])
    .filter(({ volume }) => !full.has(volume))
    .flatMap(({ parentPath }) => (parentPath === undefined ? [] : [parentPath]));
  return [...new Set(paths)];
}
