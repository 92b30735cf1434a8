/** What the agent sees of the VM and of the node while a backup is being copied. */
export interface GuestView {
  /** libvirt's state of the domain. */
  readonly paused: boolean;
  /** Whether it is paused for an I/O error: what a full scratch file does to a guest. */
  readonly pausedByIoError: boolean;
  /** Whether the domain was paused already when the backup began. */
  readonly wasPaused: boolean;
  /** What the scratch files hold, in bytes: an upper bound, libvirt counts copied zeros too. */
  readonly scratchUsedBytes: number;
  /** Free space of the file system that the scratch files are on, in bytes. */
  readonly scratchFreeBytes: number;
  readonly migrationWanted: boolean;
  readonly deletionWanted: boolean;
  /** Whether the controller has given up this attempt, or planned another one. */
  readonly superseded: boolean;
}

export interface GuestLimits {
  /** The most that the scratch files of one backup may hold, in bytes. */
  readonly scratchBudgetBytes: number;
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
        | 'ScratchBudgetExceeded'
        | 'ScratchSpaceLow'
        | 'MigrationWanted';
      readonly message: string;
    };

/** The guest comes before the backup: says when a running backup must give way. First match wins. */
export function judgeGuest(view: GuestView, limits: GuestLimits): GuestVerdict {
  if (view.deletionWanted) return abort('BackupDeleted', 'The VMBackup was deleted while it ran.');
  if (view.superseded)
    return abort('Superseded', 'The controller gave this attempt up, or planned another one.');
  if (view.paused && view.pausedByIoError && !view.wasPaused) {
    return abort(
      'GuestPaused',
      'The VM was paused with an I/O error while the backup ran (no room for its scratch file): ended the backup and resumed the VM. Free space on the node, or back up at a quieter time.',
    );
  }
  if (view.scratchUsedBytes > limits.scratchBudgetBytes) {
    return abort(
      'ScratchBudgetExceeded',
      `The guest overwrote ${view.scratchUsedBytes} bytes while the backup ran, more than the scratch budget of ${limits.scratchBudgetBytes}. Back up at a quieter time, or raise the budget of the node agent.`,
    );
  }
  if (view.scratchFreeBytes < limits.scratchReserveBytes) {
    return abort(
      'ScratchSpaceLow',
      `Only ${view.scratchFreeBytes} bytes are free where the scratch files are; ${limits.scratchReserveBytes} must stay free, lest the VM pause. Free space on the node.`,
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

function abort(reason: (GuestVerdict & { kind: 'Abort' })['reason'], message: string): GuestVerdict {
  return { kind: 'Abort', reason, message };
}
