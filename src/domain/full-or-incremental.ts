import type { DamagedBackup } from '../crds/upkeep.ts';
import type { BackupType, ChainPosition, PlannedDisk } from '../crds/vmbackup.ts';
import type { GoodBackup } from './chain.ts';
import { decideDisk } from './disk-checks.ts';
import { beganAfter } from './untracked.ts';
import type { ChosenVolume } from './volumes.ts';
import { clip, type Why } from './why.ts';

/** All that decides whether a backup is full or incremental. */
export interface TypeQuestion {
  readonly wanted: 'Auto' | 'Full';
  readonly fullEvery: number;
  /** UID of the VMBackup to be decided: names the chain that it may begin. */
  readonly backupUid: string;
  readonly vmUid: string;
  /** The newest good backup of the VM in the repository. */
  readonly newest: GoodBackup | undefined;
  readonly volumes: readonly ChosenVolume[];
  /** When disks of the VM were last put back from a backup, RFC 3339. */
  readonly restoredAt: string | undefined;
  /** When the VM was last seen to run without change tracking, RFC 3339. */
  readonly untrackedAt: string | undefined;
  /** What the scrub knows to be damaged in the chain of `newest`. */
  readonly damage: DamagedBackup | undefined;
}

export interface TypeDecision {
  readonly type: BackupType;
  readonly reason: string;
  readonly message: string;
  readonly chain: ChainPosition;
  readonly parent: { readonly name: string; readonly bitmap: string } | undefined;
  readonly disks: readonly PlannedDisk[];
}

type Usable = GoodBackup & { readonly bitmap: string };
type Check = (question: TypeQuestion) => Why | undefined;

/** What makes the whole backup a full. First match wins: this list is the rule. */
const whyFull: readonly Check[] = [
  fullRequested,
  noEarlierBackup,
  vmReplaced,
  vmRestored,
  vmRanUntracked,
  parentImported,
  parentDataDamaged,
  parentNotUsable,
  chainComplete,
];

/** Decides full or incremental, for the backup and for each disk. When in doubt it is a full. */
export function decideType(question: TypeQuestion): TypeDecision {
  for (const check of whyFull) {
    const why = check(question);
    if (why !== undefined) return fullBackup(question, why);
  }
  const parent = usableParent(question.newest);
  if (parent === undefined) return fullBackup(question, noParent(question.newest));
  const disks = question.volumes.map((volume) => decideDisk(volume, parent));
  const firstFull = disks.find(({ planned }) => planned.type === 'Full');
  if (firstFull !== undefined && disks.every(({ planned }) => planned.type === 'Full')) {
    return fullBackup(
      question,
      { reason: firstFull.planned.reason, message: `Every disk needs a full; ${firstFull.message}` },
      disks.map(({ planned }) => planned),
    );
  }
  const exceptions = disks.filter(({ planned }) => planned.type === 'Full').map(({ message }) => message);
  return {
    type: 'Incremental',
    reason: 'ChangedSinceParent',
    message: clip([`What changed since ${parent.name}.`, ...exceptions].join(' ')),
    chain: { id: parent.chain.id, position: parent.chain.position + 1 },
    parent: { name: parent.name, bitmap: parent.bitmap },
    disks: disks.map(({ planned }) => planned),
  };
}

function fullRequested({ wanted }: TypeQuestion): Why | undefined {
  if (wanted !== 'Full') return undefined;
  return { reason: 'FullRequested', message: 'spec.type asks for a full backup.' };
}

function noEarlierBackup({ newest }: TypeQuestion): Why | undefined {
  if (newest !== undefined) return undefined;
  return { reason: 'NoEarlierBackup', message: 'The VM has no good backup in this repository yet.' };
}

function vmReplaced({ newest, vmUid }: TypeQuestion): Why | undefined {
  if (newest === undefined || newest.vmUid === vmUid) return undefined;
  return {
    reason: 'VMReplaced',
    message: `The VM was made anew since ${newest.name}: its UID is ${vmUid}, and was ${newest.vmUid ?? 'not recorded'}.`,
  };
}

/** What its bitmaps tell began on other disks, or on these before they were overwritten. */
function vmRestored({ newest, restoredAt }: TypeQuestion): Why | undefined {
  if (newest === undefined || restoredAt === undefined) return undefined;
  if (beganAfter(newest.bitmap, restoredAt)) return undefined;
  const message = `The VM's disks were restored at ${restoredAt}, after ${newest.name}: nothing tells what changed since.`;
  return { reason: 'VMRestored', message };
}

/** Its bitmaps may be there again, and look good. */
function vmRanUntracked({ newest, untrackedAt }: TypeQuestion): Why | undefined {
  if (newest === undefined || untrackedAt === undefined || beganAfter(newest.bitmap, untrackedAt))
    return undefined;
  const message = `The VM ran without change tracking (seen at ${untrackedAt}) after ${newest.name}: nothing tells what it wrote then. Keep the label that KubeVirt's changedBlockTrackingLabelSelectors ask for.`;
  return { reason: 'VMRanUntracked', message };
}

/** Nothing proves that the bitmaps on the disks began with it. */
function parentImported({ newest }: TypeQuestion): Why | undefined {
  if (newest?.isImported !== true) return undefined;
  const message = `The newest good backup, ${newest.name}, was imported from the repository: nothing tells what changed since.`;
  return { reason: 'ParentImported', message };
}

function parentDataDamaged({ newest, damage }: TypeQuestion): Why | undefined {
  if (newest === undefined || damage === undefined) return undefined;
  const message = `The scrub found damage in the chain of ${newest.name}, in ${damage.path}: ${damage.message}.`;
  return { reason: 'ParentDataDamaged', message };
}

function parentNotUsable({ newest }: TypeQuestion): Why | undefined {
  return usableParent(newest) === undefined ? noParent(newest) : undefined;
}

function chainComplete({ newest, fullEvery }: TypeQuestion): Why | undefined {
  if (newest === undefined || newest.chain.position + 1 < fullEvery) return undefined;
  const count = newest.chain.position + 1;
  return {
    reason: 'ChainComplete',
    message: `The chain has ${count} ${count === 1 ? 'backup' : 'backups'}, and fullEvery is ${fullEvery}.`,
  };
}

function usableParent(newest: GoodBackup | undefined): Usable | undefined {
  if (newest?.bitmap === undefined || newest.isBeingDeleted) return undefined;
  return { ...newest, bitmap: newest.bitmap };
}

function noParent(newest: GoodBackup | undefined): Why {
  const name = newest?.name ?? 'the parent';
  const message = newest?.isBeingDeleted
    ? `The newest good backup, ${name}, is being deleted.`
    : `The newest good backup, ${name}, left no bitmap behind, so nothing tells what changed since.`;
  return { reason: 'ParentNotUsable', message };
}

/** A backup that stands alone and begins a chain. */
function fullBackup(
  { backupUid, volumes }: TypeQuestion,
  { reason, message }: Why,
  disks: readonly PlannedDisk[] = volumes.map(({ name, claim }) => ({
    volume: name,
    type: 'Full',
    reason,
    ...(claim && { claim }),
  })),
): TypeDecision {
  const chain = { id: backupUid, position: 0 };
  return { type: 'Full', reason, message: clip(message), chain, parent: undefined, disks };
}
