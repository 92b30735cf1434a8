import type { RestorePhase, RestorePlan, VMRestore, VMRestoreStatus } from '../../crds/vmrestore.ts';
import { humanSize } from '../../domain/columns.ts';
import { restoreProgress } from '../../domain/restore/progress.ts';
import type { RestoreStep, RestoreWorld } from '../../domain/restore/step.ts';
import { clip } from '../../domain/why.ts';
import { conditionsFor, type Desired } from '../../kube/conditions.ts';

/**
 * The status of a restore that is about to do this step.
 * @param now for the conditions' transition times, and for the rate
 */
export function restoreStatus(world: RestoreWorld, step: RestoreStep, now: Date): Partial<VMRestoreStatus> {
  const { restore } = world;
  const { status, metadata } = restore;
  const generation = metadata.generation ?? 0;
  const plan = step.kind === 'RecordPlan' ? step.plan : status?.plan;
  const isOver = endsWith(step);
  const startedAt = status?.startedAt ?? (step.kind === 'Write' ? now.toISOString() : undefined);
  const failure = step.kind === 'Fail' ? { ...step.why, message: clip(step.why.message) } : status?.failure;
  return {
    observedGeneration: generation,
    conditions: [...conditionsFor(status?.conditions ?? [], [desired(restore, step)], { generation, now })],
    phase: phaseOf(restore, step),
    plan,
    ...(plan !== undefined && { size: humanSize(bytesOf(plan)) }),
    failure,
    startedAt,
    ...(isOver && { completedAt: now.toISOString() }),
    ...(plan !== undefined && startedAt !== undefined && figures(world, step, startedAt, now)),
  };
}

/** A step after which nothing follows. */
export function endsWith(step: RestoreStep): boolean {
  return step.kind === 'Succeed' || step.kind === 'Undo' || (step.kind === 'RecordPlan' && step.isDryRun);
}

function figures(
  { restore, jobs }: RestoreWorld,
  step: RestoreStep,
  startedAt: string,
  now: Date,
): Partial<VMRestoreStatus> {
  const plan = restore.status?.plan;
  if (plan === undefined || restore.status?.failure !== undefined) return {};
  const { volumes, percent, bytesPerSecond, secondsLeft } = restoreProgress(
    restore,
    plan,
    jobs,
    startedAt,
    now.getTime(),
  );
  const isOver = step.kind === 'Succeed';
  return {
    volumes: [...volumes],
    percent,
    ...(bytesPerSecond !== undefined && { bytesPerSecond, rate: `${humanSize(bytesPerSecond)}/s` }),
    ...(secondsLeft !== undefined && !isOver && { secondsLeft }),
  };
}

function desired(restore: VMRestore, step: RestoreStep): Desired {
  switch (step.kind) {
    case 'Wait':
      return { type: step.needsPerson ? 'Stalled' : 'Reconciling', status: 'True', ...step.why };
    case 'Fail':
      return reconciling('Undoing', `Takes back what it made. ${step.why.reason}: ${step.why.message}`);
    case 'Undo': {
      const { reason = 'Deleted', message = 'The VMRestore was deleted.' } = restore.status?.failure ?? {};
      return { type: 'Stalled', status: 'True', reason, message };
    }
    case 'RecordPlan':
      return step.isDryRun
        ? {
            type: 'Ready',
            status: 'True',
            reason: 'DryRun',
            message: `Nothing was changed. It would restore ${told(step.plan)}.`,
          }
        : reconciling('Planned', `Restores ${told(step.plan)}.`);
    case 'Succeed':
    case 'Settled':
      return { type: 'Ready', status: 'True', reason: 'Succeeded', message: succeeded(restore) };
    case 'Check':
    case 'CheckAgain':
      return reconciling('Checking', 'Looks whether all that the backup needs is in the repository.');
    case 'StopVm':
      return reconciling('VMStopping', `Stops VirtualMachine '${step.vmName}'.`);
    case 'Verify':
      return reconciling('Verifying', 'Reads the whole chain, and proves every block.');
    case 'ForgetChanges':
    case 'ForgetAgain':
      return reconciling('Finishing', 'Removes the change tracking of the disks of before.');
    case 'MakeClaims':
    case 'Write':
    case 'Writing':
      return reconciling(
        'Writing',
        'Writes the disks; every block is proven by its sum before it is written.',
      );
    case 'MakeVm':
    case 'SwitchDisks':
    case 'StartVm':
      return reconciling('Finishing', 'All disks are written; puts the virtual machine onto them.');
  }
}

function reconciling(reason: string, message: string): Desired {
  return { type: 'Reconciling', status: 'True', reason, message: clip(message) };
}

function bytesOf({ claims }: RestorePlan): number {
  return claims.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function told(plan: RestorePlan): string {
  const { claims, vmName, pointInTime, leftOut = [] } = plan;
  const disks = claims.map(({ volume, claimName }) => `${volume} to claim ${claimName}`).join(', ');
  const vm = vmName === undefined ? '' : `, for VirtualMachine ${vmName}`;
  const when = pointInTime === undefined ? '' : `, as of ${pointInTime}`;
  const without = leftOut.length === 0 ? '' : `. Left out: ${leftOut.join('; ')}`;
  return `${humanSize(bytesOf(plan))}: ${disks}${vm}${when}${without}`;
}

function succeeded({ spec, status }: VMRestore): string {
  const plan = status?.plan;
  if (plan === undefined) return 'Done.';
  if (spec.dryRun) return `Nothing was changed. It would restore ${told(plan)}.`;
  return clip([`Restored ${told(plan)}.`, ...keptOf(plan), ...startOf(plan)].join(' '));
}

/** In place: what is still there of before. */
function keptOf({ claims }: RestorePlan): readonly string[] {
  const kept = claims.flatMap(({ replaces }) => replaces ?? []);
  if (kept.length === 0) return [];
  return [
    `The disks of before are kept as claims ${kept.join(', ')}: delete them when you need them no more.`,
  ];
}

function startOf({ vmName, runStrategy }: RestorePlan): readonly string[] {
  if (vmName === undefined || (runStrategy !== 'Manual' && runStrategy !== 'Halted')) return [];
  return [`The VM does not run (run strategy ${runStrategy}): virtctl start ${vmName}.`];
}

function phaseOf(restore: VMRestore, step: RestoreStep): RestorePhase {
  switch (step.kind) {
    case 'Fail':
    case 'Undo':
      return 'Failed';
    case 'Succeed':
      return 'Succeeded';
    case 'Settled':
      return restore.status?.phase ?? 'Succeeded';
    case 'RecordPlan':
      return step.isDryRun ? 'Succeeded' : 'Pending';
    case 'Check':
    case 'CheckAgain':
    case 'Verify':
      return restore.status?.plan === undefined ? 'Checking' : 'Finishing';
    case 'Wait':
      return restore.status?.phase ?? 'Pending';
    case 'StopVm':
      return 'Pending';
    case 'MakeClaims':
    case 'Write':
    case 'Writing':
      return 'Writing';
    case 'ForgetChanges':
    case 'ForgetAgain':
    case 'MakeVm':
    case 'SwitchDisks':
    case 'StartVm':
      return 'Finishing';
  }
}
