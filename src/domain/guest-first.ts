import { humanSize } from './columns.ts';

/** What the agent sees of the VM and of the node while a backup is being copied. */
export interface GuestView {
  /** libvirt's state of the domain. */
  readonly paused: boolean;
  /** Whether it is paused for an I/O error: what a full scratch file does to a guest. */
  readonly pausedByIoError: boolean;
  /** Whether the domain was paused already when the backup began. */
  readonly wasPaused: boolean;
  /** The disks that QEMU has an error of, by libvirt's names; asked only of a guest that is paused for one. */
  readonly disksInError: readonly string[];
  /** What the scratch files hold, in bytes: an upper bound, libvirt counts copied zeros too. */
  readonly scratchUsedBytes: number;
  /** By how much that grew since the last look: it may grow as much until the next one. */
  readonly scratchGrowthBytes: number;
  /** Free space of the file system that the scratch files are on, in bytes. */
  readonly scratchFreeBytes: number;
  readonly copy: CopyView;
  readonly migrationWanted: boolean;
  readonly deletionWanted: boolean;
  /** Whether the controller has given up this attempt, or planned another one. */
  readonly superseded: boolean;
}

/** How the copy comes on: the longer it takes, the more the guest overwrites meanwhile. */
export interface CopyView {
  readonly percent: number;
  /** Since the last word of the mover, in milliseconds. */
  readonly silentMs: number;
}

export interface GuestLimits {
  /** The most that the scratch files of one backup may hold, in bytes. */
  readonly scratchBudgetBytes: number;
  /** The same as a share of what was free when there were none: 0 to 1. */
  readonly scratchShare: number;
  /** What must stay free beside them, in bytes. */
  readonly scratchReserveBytes: number;
}

export type GuestVerdict =
  | { readonly kind: 'GoOn' }
  | {
      readonly kind: 'Abort';
      readonly reason:
        | 'BackupDeleted'
        | 'Superseded'
        | 'GuestPaused'
        | 'GuestSilent'
        | 'ScratchBudgetExceeded'
        | 'ScratchSpaceLow'
        | 'MigrationWanted';
      readonly message: string;
    };

/** With less than this free, QEMU's next write to a scratch file may fail, in bytes. */
const NO_ROOM_BYTES = 2 ** 20;
/** A mover says something twice a second, unless it waits for the repository. */
const SILENT_MS = 10_000;

/** The guest comes before the backup: says when a running backup must give way. First match wins. */
export function judgeGuest(view: GuestView, limits: GuestLimits): GuestVerdict {
  if (view.deletionWanted) return abort('BackupDeleted', 'The VMBackup was deleted while it ran.');
  if (view.superseded)
    return abort('Superseded', 'The controller gave this attempt up, or planned another one.');
  if (view.paused && view.pausedByIoError && !view.wasPaused)
    return abort('GuestPaused', whyPaused(view, limits));
  const soon = view.scratchUsedBytes + view.scratchGrowthBytes;
  const budget = scratchBudget(view, limits);
  if (soon > budget.bytes) {
    return abort(
      'ScratchBudgetExceeded',
      `The guest overwrote ${humanSize(view.scratchUsedBytes)} while the backup ran, and the scratch budget is ${humanSize(budget.bytes)} (${budget.from}). ${whoIsSlow(view)} Back up at a quieter time, or raise the budget.`,
    );
  }
  if (view.scratchFreeBytes - view.scratchGrowthBytes < limits.scratchReserveBytes) {
    return abort(
      'ScratchSpaceLow',
      `Only ${humanSize(view.scratchFreeBytes)} are free where the scratch files are; ${humanSize(limits.scratchReserveBytes)} must stay free, lest the VM pause. The backup's own hold ${humanSize(view.scratchUsedBytes)}. ${whoIsSlow(view)} Free space on the node.`,
    );
  }
  if (view.migrationWanted) {
    return abort(
      'MigrationWanted',
      'The VM wants to move to another node: the backup gave way and is tried again there.',
    );
  }
  return { kind: 'GoOn' };
}

function scratchBudget({ scratchUsedBytes, scratchFreeBytes }: GuestView, limits: GuestLimits) {
  const share = Math.floor(limits.scratchShare * (scratchUsedBytes + scratchFreeBytes));
  if (share < limits.scratchBudgetBytes)
    return {
      bytes: share,
      from: `--scratch-share=${Math.round(limits.scratchShare * 100)} of the node agent`,
    };
  return { bytes: limits.scratchBudgetBytes, from: '--scratch-budget of the node agent' };
}

/** Whose fault it is: ours if there was no room for the scratch files, else that of the VM's own storage. */
function whyPaused(view: GuestView, limits: GuestLimits): string {
  const disks = view.disksInError.length === 0 ? '' : ` on ${view.disksInError.join(', ')}`;
  const paused = `The VM was paused with an I/O error${disks} while the backup ran`;
  const free = `${humanSize(view.scratchFreeBytes)} are free where the scratch files are`;
  const done = 'ended the backup and resumed the VM.';
  if (view.scratchFreeBytes < Math.max(limits.scratchReserveBytes, NO_ROOM_BYTES))
    return `${paused}, for want of room for its scratch files (${free}): ${done} ${whoIsSlow(view)} Free space on the node, or back up at a quieter time.`;
  return `${paused}, though ${free}: ${done} If it pauses again, look at the storage of the VM's own disks.`;
}

function whoIsSlow({ copy: { percent, silentMs } }: GuestView): string {
  const silent = Math.round(silentMs / 1000);
  if (silentMs >= SILENT_MS)
    return `The copy had stood still for ${silent} s at ${percent} %: the repository is slow, or does not answer.`;
  return `The copy was at ${percent} % and went on: the guest wrote faster.`;
}

function abort(reason: (GuestVerdict & { kind: 'Abort' })['reason'], message: string): GuestVerdict {
  return { kind: 'Abort', reason, message };
}
