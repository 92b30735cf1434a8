import type { BackupType } from '../../crds/vmbackup.ts';

/** How one VM stands with its backups: what `status -o json` prints. Times are RFC 3339. */
export interface VmStatus {
  readonly namespace: string;
  readonly vm: string;
  /** False for a VM that only its backups, or the `vmNames` of a schedule, tell of. */
  readonly exists: boolean;
  readonly protectedBy: readonly Protection[];
  readonly lastGood?: LastGood;
  /** The backup that is under way, or waits. */
  readonly current?: Current;
  readonly lastFailure?: LastFailure;
  /** The next run of all its schedules. */
  readonly nextRun?: string;
  /** What is not as it should be. */
  readonly needs: readonly Need[];
}

/** A schedule that takes the VM. */
export interface Protection {
  readonly schedule: string;
  /** Invalid: its cron or time zone cannot be understood. Only an active one protects. */
  readonly state: 'Active' | 'Suspended' | 'Invalid';
  readonly nextRun?: string;
}

/** The newest backup of the VM, as it is today, whose data is in the repository. */
export interface LastGood {
  readonly name: string;
  /** The instant that it stands for. */
  readonly at: string;
  readonly type: BackupType;
  /** Place in its chain; 0 = the full backup. */
  readonly position: number;
  readonly repository: string;
}

export interface Current {
  readonly name: string;
  readonly state: 'Pending' | 'Assigned' | 'Running' | 'Retrying';
  readonly percent?: number;
  /** Why it waits. */
  readonly reason?: string;
  readonly message?: string;
}

export interface LastFailure {
  readonly name: string;
  readonly at: string;
  readonly reason: string;
  readonly message: string;
  /** Whether a good backup came after it. */
  readonly isOvercome: boolean;
}

/** Unprotected: no active schedule takes the VM. NoGoodBackup: there is nothing to restore it from. */
export type Need = 'Unprotected' | 'NoGoodBackup';
