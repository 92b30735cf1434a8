import type { VMRestore } from '../../crds/vmrestore.ts';
import { uid8 } from '../names.ts';
import { fitName } from '../short-hash.ts';

/** On everything that a VMRestore makes: its UID. What bears it is ours to finish, and to remove if it fails. */
export const RESTORE_LABEL = 'backup.tidemark.dev/restore';
/** On a VM whose disks were put back: when, RFC 3339. Bitmaps that began before tell nothing any more. */
export const RESTORED_AT_ANNOTATION = 'backup.tidemark.dev/restored-at';
/** On the claim in which KubeVirt keeps a VM's state, change tracking included: the VM's name. */
export const PERSISTENT_STATE_LABEL = 'persistent-state-for';
/** Keeps a VMRestore until what it began is undone. */
export const RESTORE_FINALIZER = 'backup.tidemark.dev/restore';

const NAME_LENGTH = 63;

/** The Job that looks at the backup before anything is changed. */
export function checkJobName({ metadata }: VMRestore): string {
  return fitName(`${fitName(metadata.name, 40)}-${uid8(metadata.uid)}-check`, NAME_LENGTH);
}

/** The Job that writes one volume. */
export function writeJobName({ metadata }: VMRestore, volume: string): string {
  return fitName(`${fitName(metadata.name, 30)}-${uid8(metadata.uid)}-write-${volume}`, NAME_LENGTH);
}

/** The Job that proves every byte of the chain before anything is touched, if that was asked for. */
export function verifyJobName({ metadata }: VMRestore): string {
  return fitName(`${fitName(metadata.name, 40)}-${uid8(metadata.uid)}-verify`, NAME_LENGTH);
}

/** The Job that removes the change tracking of the disks of before; see {@link PERSISTENT_STATE_LABEL}. */
export function forgetJobName({ metadata }: VMRestore, claimName: string): string {
  return fitName(`${fitName(metadata.name, 30)}-${uid8(metadata.uid)}-forget-${claimName}`, NAME_LENGTH);
}

/** The ControllerRevision that a new VM has of its instancetype or preference. */
export function revisionName({ metadata, spec }: VMRestore, what: 'instancetype' | 'preference'): string {
  const vmName = fitName(spec.target.newVM?.name ?? '', 40);
  return `${vmName}-${what}-${uid8(metadata.uid)}`;
}

export function restoreLabels({ metadata }: VMRestore): Readonly<Record<string, string>> {
  return { [RESTORE_LABEL]: metadata.uid };
}
