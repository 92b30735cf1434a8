import type { VMBackup } from '../crds/vmbackup.ts';
import { bitmapSeconds } from './bitmap-name.ts';
import { currentExecution, hasSucceeded } from './outcome.ts';

/** As many as a plan can hold (`status.plan.obsoleteBitmaps`). */
const MOST = 32;

/**
 * The bitmaps that nothing builds on once this backup is committed, and that may still be on the disks, newest first: those of
 * the chain's head and of the good backup before it (the VM may have gone before its bitmap could), and what failed attempts
 * left since, this backup's own among them. Only backups into the same repository count: another repository is another chain,
 * and its head is not ours to remove.
 * @param backups VMBackups of the namespace; those of other VMs are passed over, and the backup itself may be among them
 */
export function obsoleteBitmaps(backup: VMBackup, backups: readonly VMBackup[]): readonly string[] {
  const { vmName, repository } = backup.spec;
  const siblings = backups.filter(
    ({ spec, metadata }) =>
      spec.vmName === vmName && spec.repository === repository && metadata.uid !== backup.metadata.uid,
  );
  const [, beforeHead = -1] = siblings.filter(isGood).map(orderOf).sort(descending);
  const left = siblings.filter((sibling) => orderOf(sibling) >= beforeHead).flatMap(bitmapsLeftBy);
  const names = new Set([...bitmapsLeftBy(backup), ...left]);
  return [...names].sort((a, b) => descending(secondsOf(a), secondsOf(b))).slice(0, MOST);
}

/**
 * What a backup may have left on the disks. A failed attempt that says nothing of a bitmap has removed it; one whose agent fell
 * silent has told nothing. Each plan carries on what the attempts before it may have left.
 */
export function bitmapsLeftBy({ status }: VMBackup): readonly string[] {
  const { plan, execution } = status ?? {};
  if (plan === undefined) return [];
  const ended = currentExecution(plan, execution);
  const made = execution?.bitmapCreated === undefined ? [] : [execution.bitmapCreated];
  if (ended !== undefined && hasSucceeded(ended)) return made;
  const own = ended?.error === undefined ? [plan.bitmap, ...made] : made;
  return [...own, ...(plan.obsoleteBitmaps ?? [])];
}

function isGood({ status }: VMBackup): boolean {
  const execution = currentExecution(status?.plan, status?.execution);
  return execution !== undefined && hasSucceeded(execution);
}

function orderOf({ status }: VMBackup): number {
  return secondsOf(status?.plan?.bitmap ?? '');
}

function secondsOf(bitmap: string): number {
  return bitmapSeconds(bitmap) ?? -1;
}

function descending(a: number, b: number): number {
  return b - a;
}
