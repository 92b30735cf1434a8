import type { BackupType, VMBackup } from '../../crds/vmbackup.ts';
import { bitmapSeconds } from '../../domain/bitmap-name.ts';
import { storedBytes } from '../../domain/columns.ts';
import { outcomeOf } from '../../domain/outcome.ts';
import { type Standing, standingOf } from '../../domain/standing.ts';

/** One backup whose data is in the repository. Times are RFC 3339. */
export interface Point {
  readonly name: string;
  readonly position: number;
  readonly type: BackupType;
  /** Why it is full or incremental; of a fallback, what the agent found. */
  readonly reason: string;
  readonly at: string;
  readonly storedBytes?: number;
  /** Disks that got a full although the backup is incremental. */
  readonly fullDisks: readonly string[];
  readonly isBeingDeleted: boolean;
}

/** A full backup and the incrementals that stand on it. */
export interface Chain {
  readonly id: string;
  readonly repository: string;
  /** Whether it is of the VM as it is today, and not of an earlier one of the same name. */
  readonly isOfThisVm: boolean;
  readonly points: readonly Point[];
  /** Positions below the last one of which no VMBackup tells: its object was deleted, or another namespace has it. */
  readonly missing: readonly number[];
  readonly storedBytes: number;
}

/** A backup that holds no data (yet). */
export interface Other {
  readonly name: string;
  readonly state: 'Pending' | 'Assigned' | 'Running' | 'Retrying' | 'Failed';
  readonly reason?: string;
}

/** All backups of one VM. */
export interface Tree {
  readonly vm: string;
  readonly namespace: string;
  /** By repository, then by age: the newest last. */
  readonly chains: readonly Chain[];
  readonly others: readonly Other[];
}

type Good = Omit<Extract<Standing, { kind: 'Succeeded' }>, 'kind'> & { readonly backup: VMBackup };

/**
 * Puts the backups of one VM into their chains.
 * @param backups VMBackups of the namespace; those of other VMs are passed over
 * @param vmUid the VM as it is today; undefined if there is none
 */
export function treeOf(
  vm: string,
  namespace: string,
  backups: readonly VMBackup[],
  vmUid: string | undefined,
): Tree {
  const ofVm = backups.filter(({ spec }) => spec.vmName === vm);
  const good = ofVm.flatMap(asGood).sort(byInstant);
  const chains = Map.groupBy(good, ({ backup, plan, execution }) => {
    const { chain } = outcomeOf(plan, execution, backup.metadata.uid);
    return `${backup.spec.repository}/${chain.id}`;
  });
  return {
    vm,
    namespace,
    chains: [...chains.values()]
      .map((points) => chainOf(points, vmUid))
      .sort((a, b) => compare(a.repository, b.repository)),
    others: ofVm.flatMap(asOther),
  };
}

function chainOf(good: readonly Good[], vmUid: string | undefined): Chain {
  const points = good.map(pointOf);
  const there = new Set(points.map(({ position }) => position));
  const last = Math.max(...there);
  const first = good[0];
  return {
    id: first === undefined ? '' : outcomeOf(first.plan, first.execution, first.backup.metadata.uid).chain.id,
    repository: first?.backup.spec.repository ?? '',
    isOfThisVm:
      vmUid !== undefined && good.every(({ plan }) => plan.vmUid === undefined || plan.vmUid === vmUid),
    points,
    missing: Array.from({ length: last }, (_, position) => position).filter(
      (position) => !there.has(position),
    ),
    storedBytes: points.reduce((sum, point) => sum + (point.storedBytes ?? 0), 0),
  };
}

function pointOf({ backup, plan, execution }: Good): Point {
  const { type, typeReason, chain } = outcomeOf(plan, execution, backup.metadata.uid);
  const bytes = storedBytes(execution);
  const full = (execution.disks ?? []).filter((disk) => disk.type === 'Full').map(({ volume }) => volume);
  return {
    name: backup.metadata.name,
    position: chain.position,
    type,
    reason: typeReason,
    at: execution.pointInTime ?? execution.startedAt,
    ...(bytes !== undefined && { storedBytes: bytes }),
    fullDisks: type === 'Incremental' ? full : [],
    isBeingDeleted: backup.metadata.deletionTimestamp !== undefined,
  };
}

function asGood(backup: VMBackup): readonly Good[] {
  const standing = standingOf(backup);
  if (standing.kind !== 'Succeeded') return [];
  const { plan, execution } = standing;
  return [{ backup, plan, execution }];
}

function asOther(backup: VMBackup): readonly Other[] {
  const other = otherOf(backup);
  return other === undefined ? [] : [other];
}

function otherOf(backup: VMBackup): Other | undefined {
  const { name } = backup.metadata;
  const standing = standingOf(backup);
  switch (standing.kind) {
    case 'Succeeded':
      return undefined;
    case 'Failed':
      return { name, state: 'Failed', reason: standing.why.reason };
    case 'AttemptFailed':
      return { name, state: 'Retrying', reason: standing.why.reason };
    case 'Assigned':
    case 'Running':
      return { name, state: standing.kind };
    case 'New': {
      const waits = backup.status?.conditions?.find(({ type }) => type === 'Reconciling');
      return { name, state: 'Pending', ...(waits && { reason: waits.reason }) };
    }
  }
}

/** Bitmaps rise with each backup of a VM, so they tell the order; clocks may not. */
function byInstant(a: Good, b: Good): number {
  return (bitmapSeconds(a.plan.bitmap) ?? 0) - (bitmapSeconds(b.plan.bitmap) ?? 0);
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}
