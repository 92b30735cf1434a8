import type { PlannedDisk } from '../crds/vmbackup.ts';
import type { GoodBackup, GoodDisk } from './chain.ts';
import type { ChosenVolume } from './volumes.ts';
import type { Why } from './why.ts';

/** The disk as the parent holds it; undefined if it does not. */
type Check = (volume: ChosenVolume, before: GoodDisk | undefined) => Why | undefined;

/** What makes one disk a full within an incremental backup. First match wins. */
const whyFull: readonly Check[] = [diskNew, claimNotFound, diskReplaced, diskNotTracked];

export interface DiskDecision {
  readonly planned: PlannedDisk;
  /** Why, in a sentence. */
  readonly message: string;
}

/** Decides what one disk gets in a backup that builds on this parent. */
export function decideDisk(volume: ChosenVolume, parent: GoodBackup): DiskDecision {
  const claim = volume.claim && { claim: volume.claim };
  const before = parent.disks.find((disk) => disk.volume === volume.name);
  for (const check of whyFull) {
    const why = check(volume, before);
    if (why !== undefined) {
      return {
        planned: { volume: volume.name, type: 'Full', reason: why.reason, ...claim },
        message: why.message,
      };
    }
  }
  const planned: PlannedDisk = {
    volume: volume.name,
    type: 'Incremental',
    reason: 'ChangedSinceParent',
    parentPath: parent.path,
    ...claim,
  };
  return { planned, message: `Volume ${volume.name}: what changed since ${parent.name}.` };
}

function diskNew({ name }: ChosenVolume, before: GoodDisk | undefined): Why | undefined {
  if (before !== undefined) return undefined;
  return { reason: 'DiskNew', message: `Volume ${name} is not in the parent: full.` };
}

function claimNotFound({ name, claimName, claim }: ChosenVolume): Why | undefined {
  if (claim !== undefined) return undefined;
  const message = `Volume ${name}: PersistentVolumeClaim ${claimName} was not found, so nothing proves that it is the disk of the parent: full.`;
  return { reason: 'ClaimNotFound', message };
}

function diskReplaced({ name, claim }: ChosenVolume, before: GoodDisk | undefined): Why | undefined {
  if (claim?.uid === before?.claimUid) return undefined;
  return { reason: 'DiskReplaced', message: `Volume ${name} has another PersistentVolumeClaim now: full.` };
}

function diskNotTracked({ name }: ChosenVolume, before: GoodDisk | undefined): Why | undefined {
  if (before?.tracked === true) return undefined;
  const message = `Volume ${name} has no bitmap since the parent (enable changed block tracking for the VM): full.`;
  return { reason: 'DiskNotTracked', message };
}
