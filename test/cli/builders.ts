import type { VMBackupSchedule, VMBackupScheduleSpec } from '../../src/crds/vmbackupschedule.ts';

/** A schedule at two in the morning, UTC, that takes the VM `db` unless told otherwise. */
export function schedule(name: string, changes: Partial<VMBackupScheduleSpec> = {}): VMBackupSchedule {
  const choice = changes.vmSelector === undefined ? { vmNames: ['db'] } : {};
  return {
    metadata: { name, namespace: 'shop', uid: `uid-of-${name}` },
    spec: {
      schedule: '0 2 * * *',
      timeZone: 'UTC',
      suspend: false,
      immediate: false,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 600,
      spreadSeconds: 0,
      failedBackupsHistoryLimit: 3,
      template: {
        repository: 'nas',
        fullEvery: 10,
        quiesce: 'IfAvailable',
        backoffLimit: 3,
        startDeadlineSeconds: 3600,
        whenStopped: 'Backup',
        priority: 0,
      },
      ...choice,
      ...changes,
    },
  };
}

/** What a command wrote. */
export interface Written {
  readonly isTTY?: boolean | undefined;
  text: string;
  write(text: string): void;
}

export function written(isTTY?: boolean): Written {
  return {
    isTTY,
    text: '',
    write(text) {
      this.text += text;
    },
  };
}
