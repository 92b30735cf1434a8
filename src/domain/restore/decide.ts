import type { PersistentVolumeClaim } from '../../crds/core.ts';
import type { VirtualMachine, VirtualMachineInstance } from '../../crds/kubevirt.ts';
import type { PlannedClaim, RestorePlan } from '../../crds/vmrestore.ts';
import type { JobStanding } from '../job/job-standing.ts';
import type { Why } from '../why.ts';
import type { Inspection } from './inspection.ts';
import { checkJobName, RESTORE_LABEL, writeJobName } from './names.ts';
import { planRestore } from './plan.ts';
import { type RestoreSource, type SourceQuestion, sourceOf } from './source.ts';
import { isSwitched } from './switch-disks.ts';

/** All that the decision on one VMRestore looks at: plain data, as the cluster had it at one instant. */
export interface RestoreWorld extends SourceQuestion {
  /** Its Jobs, by name. */
  readonly jobs: ReadonlyMap<string, JobStanding>;
  /** What the check Job told; undefined as long as it has not, or if its log is gone. */
  readonly inspection: Inspection | undefined;
  /** Claims of the namespace, by name. */
  readonly claims: ReadonlyMap<string, PersistentVolumeClaim>;
  /** The VM that the target names. */
  readonly vm: VirtualMachine | undefined;
  readonly vmi: VirtualMachineInstance | undefined;
}

/** What is to be done with one VMRestore now. Each of them is safe to be done twice. */
export type RestoreStep =
  | { readonly kind: 'Settled' }
  | { readonly kind: 'Wait'; readonly why: Why; readonly needsPerson: boolean }
  | { readonly kind: 'Check'; readonly source: RestoreSource }
  /** The check is done, and what it said is lost: ask again. */
  | { readonly kind: 'CheckAgain' }
  | { readonly kind: 'RecordPlan'; readonly plan: RestorePlan; readonly isDryRun: boolean }
  | { readonly kind: 'StopVm'; readonly vmName: string }
  | { readonly kind: 'MakeClaims'; readonly claims: readonly PlannedClaim[] }
  | { readonly kind: 'Write'; readonly source: RestoreSource; readonly claims: readonly PlannedClaim[] }
  | { readonly kind: 'Writing' }
  | { readonly kind: 'MakeVm'; readonly inspection: Inspection }
  | { readonly kind: 'SwitchDisks'; readonly vmName: string }
  | { readonly kind: 'StartVm'; readonly vmName: string; readonly runStrategy: string }
  | { readonly kind: 'Succeed' }
  /** Something cannot be: record it; from then on what was begun is undone. */
  | { readonly kind: 'Fail'; readonly why: Why }
  | { readonly kind: 'Undo'; readonly claims: readonly string[]; readonly startVm: StartVm | undefined };

export interface StartVm {
  readonly vmName: string;
  readonly runStrategy: string;
}

/** So many disks are written at the same time. */
const PARALLEL_WRITERS = 4;

/** The whole rule for one VMRestore: where it stands and what the world is like → the next step. */
export function decideRestore(world: RestoreWorld): RestoreStep {
  const { status } = world.restore;
  if (status?.completedAt !== undefined) return { kind: 'Settled' };
  if (status?.failure !== undefined) return undo(world);
  const source = sourceOf(world);
  if ('reason' in source) return ofObstacle(world, source);
  if (status?.plan === undefined) return ofUnplanned(world, source);
  return ofPlanned(world, source, status.plan);
}

/** What to take back of a restore that failed, or that is deleted half-way. */
export function undo({ restore, claims, vm }: RestoreWorld): RestoreStep {
  const { plan } = restore.status ?? {};
  const { inPlace } = restore.spec.target;
  const ours = [...claims.values()].filter(
    ({ metadata }) => metadata.labels?.[RESTORE_LABEL] === restore.metadata.uid,
  );
  const isInUse = plan !== undefined && vm !== undefined && isSwitched(vm, plan);
  const isHalted = vm?.spec.runStrategy === 'Halted';
  const before = plan?.runStrategy ?? 'Halted';
  const mustStart = inPlace?.stopVM === true && isHalted && before !== 'Halted';
  return {
    kind: 'Undo',
    // What a VM stands on is never removed, whoever made it.
    claims: isInUse ? [] : ours.map(({ metadata }) => metadata.name),
    startVm: mustStart ? { vmName: inPlace.vmName, runStrategy: before } : undefined,
  };
}

/** Before the plan nothing was touched, so the world may still become right; after it, the restore has failed. */
function ofObstacle({ restore }: RestoreWorld, why: Why): RestoreStep {
  return restore.status?.plan === undefined
    ? { kind: 'Wait', why, needsPerson: true }
    : { kind: 'Fail', why };
}

function ofUnplanned(world: RestoreWorld, source: RestoreSource): RestoreStep {
  const { restore, inspection, jobs } = world;
  const standing = jobs.get(checkJobName(restore)) ?? { kind: 'Absent' };
  switch (standing.kind) {
    case 'Absent':
      return { kind: 'Check', source };
    case 'Waiting':
      return { kind: 'Wait', why: standing.why, needsPerson: false };
    case 'Running':
      return waits('Checking', 'Looks whether all that the backup needs is in the repository.');
    case 'Failed':
      return { kind: 'Fail', why: standing.why };
    case 'Succeeded': {
      if (inspection === undefined) return { kind: 'CheckAgain' };
      const plan = planRestore({ ...world, source, inspection });
      if ('reason' in plan) return { kind: 'Fail', why: plan };
      return { kind: 'RecordPlan', plan, isDryRun: restore.spec.dryRun };
    }
  }
}

function ofPlanned(world: RestoreWorld, source: RestoreSource, plan: RestorePlan): RestoreStep {
  const { restore, claims } = world;
  const { inPlace } = restore.spec.target;
  if (inPlace !== undefined) {
    const obstacle = stopFirst(world, inPlace);
    if (obstacle !== undefined) return obstacle;
  }
  const missing = plan.claims.filter(({ claimName }) => !claims.has(claimName));
  const isWritten = allWritten(world, plan);
  if (missing.length > 0 && !isWritten) return { kind: 'MakeClaims', claims: missing };
  const foreign = plan.claims.find(
    ({ claimName }) => claims.get(claimName)?.metadata.labels?.[RESTORE_LABEL] !== restore.metadata.uid,
  );
  if (foreign !== undefined) {
    const message = `PersistentVolumeClaim '${foreign.claimName}' was made by someone else since the plan: it is left alone.`;
    return { kind: 'Fail', why: { reason: 'ClaimExists', message } };
  }
  if (!isWritten) return write(world, source, plan);
  return finish(world, plan);
}

/** The old disks must stand still from before the new ones are written until the VM stands on those. */
function stopFirst(
  { vm, vmi, restore }: RestoreWorld,
  { vmName, stopVM }: { readonly vmName: string; readonly stopVM: boolean },
): RestoreStep | undefined {
  if (vm === undefined) {
    const message = `VirtualMachine '${vmName}' was deleted while it was to be restored.`;
    return { kind: 'Fail', why: { reason: 'VMNotFound', message } };
  }
  const plan = restore.status?.plan;
  // From here on it may run again.
  if (plan !== undefined && isSwitched(vm, plan)) return undefined;
  if (vmi === undefined && (vm.spec.runStrategy === 'Halted' || vm.spec.runStrategy === 'Manual'))
    return undefined;
  if (vmi === undefined && vm.spec.runStrategy === undefined && vm.spec.running !== true) return undefined;
  if (!stopVM) {
    const message = `VirtualMachine '${vmName}' runs: stop it, or set target.inPlace.stopVM.`;
    return { kind: 'Wait', why: { reason: 'VMRunning', message }, needsPerson: true };
  }
  if (vm.spec.runStrategy !== 'Halted') return { kind: 'StopVm', vmName };
  return waits('VMStopping', `Waits until VirtualMachine '${vmName}' has stopped.`);
}

function write(world: RestoreWorld, source: RestoreSource, plan: RestorePlan): RestoreStep {
  const { restore, jobs } = world;
  const standings = plan.claims.map((claim) => ({
    claim,
    standing: jobs.get(writeJobName(restore, claim.volume)) ?? ({ kind: 'Absent' } as const),
  }));
  for (const { claim, standing } of standings) {
    if (standing.kind === 'Failed') {
      const message = `Volume ${claim.volume}: ${standing.why.message}`;
      return { kind: 'Fail', why: { reason: standing.why.reason, message } };
    }
  }
  const underWay = standings.filter(
    ({ standing }) => standing.kind === 'Waiting' || standing.kind === 'Running',
  );
  const next = standings
    .filter(({ standing }) => standing.kind === 'Absent')
    .slice(0, Math.max(0, PARALLEL_WRITERS - underWay.length));
  if (next.length > 0) return { kind: 'Write', source, claims: next.map(({ claim }) => claim) };
  const stuck = underWay.find(({ standing }) => standing.kind === 'Waiting');
  if (stuck?.standing.kind === 'Waiting' && underWay.every(({ standing }) => standing.kind === 'Waiting'))
    return { kind: 'Wait', why: stuck.standing.why, needsPerson: false };
  return { kind: 'Writing' };
}

function finish(world: RestoreWorld, plan: RestorePlan): RestoreStep {
  const { restore, vm, inspection } = world;
  const { newVM, inPlace } = restore.spec.target;
  if (newVM !== undefined && vm === undefined)
    return inspection === undefined ? { kind: 'CheckAgain' } : { kind: 'MakeVm', inspection };
  if (newVM !== undefined && vm?.metadata.labels?.[RESTORE_LABEL] !== restore.metadata.uid) {
    const message = `A VirtualMachine '${newVM.name}' was made by someone else since the plan: it is left alone, and so are the restored claims.`;
    return { kind: 'Fail', why: { reason: 'VMExists', message } };
  }
  if (inPlace !== undefined && vm !== undefined) {
    const { vmName } = inPlace;
    if (!isSwitched(vm, plan)) return { kind: 'SwitchDisks', vmName };
    const runStrategy = plan.runStrategy ?? 'Halted';
    if (inPlace.stopVM && vm.spec.runStrategy !== runStrategy && vm.spec.running === undefined)
      return { kind: 'StartVm', vmName, runStrategy };
  }
  return { kind: 'Succeed' };
}

function allWritten({ restore, jobs }: RestoreWorld, plan: RestorePlan): boolean {
  return plan.claims.every(({ volume }) => jobs.get(writeJobName(restore, volume))?.kind === 'Succeeded');
}

function waits(reason: string, message: string): RestoreStep {
  return { kind: 'Wait', why: { reason, message }, needsPerson: false };
}
