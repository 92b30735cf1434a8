import type { VirtualMachine, VirtualMachineInstance } from '../crds/kubevirt.ts';
import type { VMBackup } from '../crds/vmbackup.ts';
import { bitmapSeconds } from './bitmap-name.ts';
import { standingOf } from './standing.ts';

/**
 * On a VM that ran without KubeVirt's change tracking after it was backed up with it: when that was seen, RFC 3339. Where KubeVirt
 * keeps the VM's state claim for other reasons, the bitmaps are there again afterwards, look good, and missed every write in between.
 */
export const UNTRACKED_AT_ANNOTATION = 'backup.tidemark.dev/untracked-at';

const TRACKING: ReadonlySet<string> = new Set(['Enabled', 'Initializing']);

/** Whether a bitmap began after this instant (by the same clock); one whose begin is not known did not. */
export function beganAfter(bitmap: string | undefined, instant: string): boolean {
  const begun = bitmapSeconds(bitmap ?? '');
  return begun !== undefined && begun * 1000 > Date.parse(instant);
}

/** Whether the VM is to be marked now: it runs untracked, and a good backup left a bitmap that no mark tells of yet. */
export function missesWrites(
  vm: VirtualMachine | undefined,
  vmi: VirtualMachineInstance | undefined,
  backups: readonly VMBackup[],
): boolean {
  if (vm === undefined || vmi?.status?.phase !== 'Running') return false;
  if (TRACKING.has(vmi.status.changedBlockTracking?.state ?? '')) return false;
  const mark = vm.metadata.annotations?.[UNTRACKED_AT_ANNOTATION];
  return backups.some((backup) => {
    const standing = standingOf(backup);
    if (standing.kind !== 'Succeeded') return false;
    const { bitmapCreated } = standing.execution;
    return bitmapCreated !== undefined && (mark === undefined || beganAfter(bitmapCreated, mark));
  });
}
