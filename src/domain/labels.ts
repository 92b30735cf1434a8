import { fitName } from './short-hash.ts';

/** On a VMBackup: the schedule that made it. */
export const SCHEDULE_LABEL = 'backup.tidemark.dev/schedule';
/** On a VMBackup: the VM it is of. */
export const VM_LABEL = 'backup.tidemark.dev/vm';

/** On a VMBackup whose data is removed from the repository before the object goes. */
export const DATA_FINALIZER = 'backup.tidemark.dev/data';
/** On a VMBackup that is deleted with `deletionPolicy: Delete`: what goes with it, see {@link DeleteWith}. */
export const DELETE_WITH_ANNOTATION = 'backup.tidemark.dev/delete-with';
/** On a VMBackup that was made from a backup in the repository. */
export const IMPORTED_LABEL = 'backup.tidemark.dev/imported';
/** On a VMBackup: verify its data, and all that it stands on, when the value changes. */
export const VERIFY_ANNOTATION = 'backup.tidemark.dev/verify';
/** On a VMBackupRepository: list it now, when the value changes. */
export const SYNC_ANNOTATION = 'backup.tidemark.dev/sync';
/** On a VMBackupRepository: begin a scrub of everything now, when the value changes. */
export const SCRUB_ANNOTATION = 'backup.tidemark.dev/scrub';

/** On the Jobs that look after a repository: its UID. */
export const REPOSITORY_LABEL = 'backup.tidemark.dev/repository';

/** On the Job of a VMBackupListing: the listing's UID. */
export const LISTING_LABEL = 'backup.tidemark.dev/listing';

/** A label's value has at most 63 characters, an object's name up to 253. */
const LABEL_LENGTH = 63;

/** The name of an object as a label's value: shortened with a hash if need be. */
export function labelValue(name: string): string {
  return fitName(name, LABEL_LENGTH);
}

/** The labels of a backup that a schedule made. */
export function scheduledLabels(schedule: string, vm: string): Readonly<Record<string, string>> {
  return { [SCHEDULE_LABEL]: labelValue(schedule), [VM_LABEL]: labelValue(vm) };
}

/** Whether a VMBackup was made by this schedule for this VM. */
export function isScheduledFor(
  labels: Readonly<Record<string, string>> | undefined,
  schedule: string,
  vm: string,
): boolean {
  return labels?.[SCHEDULE_LABEL] === labelValue(schedule) && labels[VM_LABEL] === labelValue(vm);
}
