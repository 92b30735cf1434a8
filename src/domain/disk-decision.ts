import type { BackupType, ExecutedDisk, Plan } from '../crds/vmbackup.ts';

/** Why a disk gets a full on the node although an incremental was planned. Ordered by how early the chain broke. */
export type FallbackReason =
  | 'VMStopped'
  | 'DiskNotTracked'
  | 'CheckpointLost'
  | 'BitmapMissing'
  | 'BitmapInconsistent'
  | 'ParentDataMissing'
  | 'ParentDataDamaged';

/** What the agent found out about one planned disk. */
export interface ObservedDisk {
  readonly volume: string;
  /** False for an image that cannot hold a bitmap (raw without overlay) or is read-only. */
  readonly trackable: boolean;
  /**
   * The parent's bitmap on this disk; `unknown` when no parent was planned and nobody looked, `unreachable` when the VM is stopped and
   * KubeVirt's overlay of the disk is not there.
   */
  readonly bitmap: 'usable' | 'missing' | 'inconsistent' | 'unknown' | 'unreachable';
  /** The parent's image of this disk in the repository. */
  readonly parentData: 'good' | 'missing' | 'damaged' | 'unknown';
}

export interface DiskDecision {
  readonly volume: string;
  readonly type: BackupType;
  readonly reason: string;
  /** Whether the new checkpoint puts a bitmap on this disk. */
  readonly tracked: boolean;
  /** Directory of the parent backup, for an incremental. */
  readonly parentPath?: string;
}

export interface DisksDecision {
  readonly disks: readonly DiskDecision[];
  /** Set when a disk gets a full although an incremental was planned. */
  readonly fallback?: {
    readonly reason: FallbackReason;
    readonly message: string;
    readonly disks: readonly string[];
  };
  /** What the backup is as a whole: Incremental while one disk is. */
  readonly type: BackupType;
}

/** Each check sees one disk that was planned as incremental; the first that holds makes it a full. */
const CHECKS: readonly {
  readonly reason: FallbackReason;
  readonly holds: (disk: ObservedDisk) => boolean;
}[] = [
  { reason: 'VMStopped', holds: (disk) => disk.bitmap === 'unreachable' },
  { reason: 'DiskNotTracked', holds: (disk) => !disk.trackable },
  { reason: 'BitmapMissing', holds: (disk) => disk.bitmap === 'missing' },
  { reason: 'BitmapInconsistent', holds: (disk) => disk.bitmap === 'inconsistent' },
  { reason: 'CheckpointLost', holds: (disk) => disk.bitmap !== 'usable' },
  { reason: 'ParentDataMissing', holds: (disk) => disk.parentData === 'missing' },
  { reason: 'ParentDataDamaged', holds: (disk) => disk.parentData !== 'good' },
];

const SENTENCES: Readonly<Record<FallbackReason, string>> = {
  VMStopped:
    "the VM is stopped, and KubeVirt's overlay with the disk's bitmap was not found on its one state claim, or the VM ran last without it",
  DiskNotTracked: 'the disk image cannot hold a bitmap (no changed block tracking)',
  CheckpointLost: "libvirt's checkpoint of the parent could not be found or redefined",
  BitmapMissing: "the parent's bitmap is not on the disk any more, as after a crash of QEMU",
  BitmapInconsistent: "the parent's bitmap was not saved properly, as after a crash of QEMU or of the node",
  ParentDataMissing: "the parent's data is not in the repository any more",
  ParentDataDamaged: "the parent's data in the repository is damaged",
};

/**
 * Decides for each planned disk what it gets, from what was found on the node. In doubt a full: an incremental needs a
 * parent bitmap that is usable AND parent data that is good, and anything unknown counts against it.
 */
export function decideDisks(plan: Pick<Plan, 'disks'>, observed: readonly ObservedDisk[]): DisksDecision {
  const found = new Map(observed.map((disk) => [disk.volume, disk]));
  const fallen: { volume: string; reason: FallbackReason }[] = [];
  const disks = plan.disks.map((planned): DiskDecision => {
    const disk = found.get(planned.volume);
    const tracked = disk?.trackable ?? false;
    const full = { volume: planned.volume, type: 'Full', tracked } as const;
    if (planned.type === 'Full' || planned.parentPath === undefined) {
      return { ...full, reason: tracked ? planned.reason : 'DiskNotTracked' };
    }
    const failed = disk === undefined ? 'CheckpointLost' : CHECKS.find((check) => check.holds(disk))?.reason;
    if (failed === undefined) {
      const { volume, reason, parentPath } = planned;
      return { volume, type: 'Incremental', reason, tracked, parentPath };
    }
    fallen.push({ volume: planned.volume, reason: failed });
    return { ...full, reason: failed };
  });
  const type = disks.some((disk) => disk.type === 'Incremental') ? 'Incremental' : 'Full';
  return { disks, type, ...(fallen.length > 0 ? { fallback: fallbackOf(fallen) } : {}) };
}

function fallbackOf(fallen: readonly { volume: string; reason: FallbackReason }[]) {
  const reason = CHECKS.map((check) => check.reason).find((name) =>
    fallen.some((disk) => disk.reason === name),
  )!;
  const message = `Full instead of incremental: ${fallen
    .map((disk) => `${disk.volume}: ${SENTENCES[disk.reason]}`)
    .join('; ')}.`;
  return { reason, message: message.slice(0, 1024), disks: fallen.map((disk) => disk.volume) };
}

/** A decision as it stands in `status.execution.disks` before the copy has counted anything. */
export function asExecuted(decision: DiskDecision): ExecutedDisk {
  const { volume, type, reason, tracked } = decision;
  return { volume, type, reason, tracked };
}
