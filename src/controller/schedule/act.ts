import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { isScheduledFor, scheduledLabels } from '../../domain/labels.ts';
import type { PlannedChild, Run } from '../../domain/schedule/run.ts';
import type { Kube, NewObject } from '../../kube/client.ts';
import { AlreadyExists, Conflict, NotFound } from '../../kube/errors.ts';

/**
 * Makes the backups of a run. Safe to run again: what is there already from this schedule is the run itself.
 * Returns the names that were taken by others.
 */
export async function startRun(
  kube: Kube,
  schedule: VMBackupSchedule,
  run: Run,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const refused: string[] = [];
  for (const child of run.children) {
    if (!(await createOrAdopt(kube, schedule, child, signal))) refused.push(child.name);
  }
  return refused;
}

async function createOrAdopt(
  kube: Kube,
  schedule: VMBackupSchedule,
  child: PlannedChild,
  signal: AbortSignal,
): Promise<boolean> {
  const object = childBackup(schedule, child);
  try {
    await kube.create(vmBackups, object, signal);
    return true;
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
  }
  try {
    const { metadata } = await kube.get(vmBackups, object.metadata, signal);
    return isScheduledFor(metadata.labels, schedule.metadata.name, child.vmName);
  } catch (error) {
    // Deleted in between: the run did have its backup.
    if (error instanceof NotFound) return true;
    throw error;
  }
}

/** Removes objects that there are enough newer ones of. One that was made anew meanwhile, by the same name, stays. */
export async function removeExcess(
  kube: Kube,
  excess: readonly VMBackup[],
  signal: AbortSignal,
): Promise<void> {
  for (const { metadata } of excess) {
    try {
      await kube.delete(vmBackups, metadata, { uid: metadata.uid }, signal);
    } catch (error) {
      if (!(error instanceof Conflict)) throw error;
    }
  }
}

/**
 * The backup of one VM in a run. It has no owner reference on purpose: whoever deletes a schedule wants no more backups, and not
 * to lose those that exist.
 */
export function childBackup({ metadata, spec }: VMBackupSchedule, { name, vmName }: PlannedChild): NewObject {
  return {
    metadata: { namespace: metadata.namespace, name, labels: scheduledLabels(metadata.name, vmName) },
    spec: { ...spec.template, vmName, type: 'Auto' },
  };
}
