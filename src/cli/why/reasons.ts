import type { FallbackReason } from '../../domain/disk-decision.ts';

/** Reasons that a disk's plan or report may give, beside those of a fallback. */
type PlannedReason =
  | 'FullRequested'
  | 'NoEarlierBackup'
  | 'VMReplaced'
  | 'VMRestored'
  | 'VMRanUntracked'
  | 'ParentImported'
  | 'ParentNotUsable'
  | 'ChainComplete'
  | 'DiskNew'
  | 'ClaimNotFound'
  | 'DiskReplaced'
  | 'ChangedSinceParent';

/** Why a disk gets what it gets, for people. Reasons of a newer release pass as the bare word. */
const sentences: Readonly<Record<PlannedReason | FallbackReason, string>> = {
  FullRequested: 'a full backup was asked for',
  NoEarlierBackup: 'there was no good backup to build on',
  VMReplaced: 'the VM was made anew since the last good backup',
  VMRestored: 'the disks of the VM were restored since the last good backup',
  VMRanUntracked: 'the VM ran without change tracking since the last good backup',
  ParentImported: 'the last good backup was found in the repository, and nothing tells what changed since',
  ParentNotUsable: 'the last good backup cannot be built on',
  ChainComplete: 'the chain had as many backups as fullEvery allows',
  DiskNew: 'the parent backup does not hold this volume',
  ClaimNotFound: 'its PersistentVolumeClaim was not found, so nothing proved that it is the same disk',
  DiskReplaced: 'it stands on another PersistentVolumeClaim than in the parent backup',
  ChangedSinceParent: 'only what changed since the parent backup',
  VMStopped: "the VM was stopped, and KubeVirt's overlay with the disk's bitmap was not found",
  DiskNotTracked: 'the disk has no bitmap that tells what changed (no changed block tracking)',
  CheckpointLost: "libvirt's checkpoint of the parent could not be found or redefined",
  BitmapMissing: "the parent's bitmap was not on the disk any more, as after a crash of QEMU",
  BitmapInconsistent: "the parent's bitmap was not saved properly, as after a crash of QEMU or of the node",
  ParentDataMissing: "the parent's data was not in the repository any more",
  ParentDataDamaged: "the parent's data in the repository was damaged",
};

const words = new Map(Object.entries(sentences));

/** `DiskNew: the parent backup does not hold this volume`. */
export function inWords(reason: string): string {
  const sentence = words.get(reason);
  return sentence === undefined ? reason : `${reason}: ${sentence}`;
}
