import type { RestorePlan } from '../../crds/vmrestore.ts';
import { clip, type Why } from '../why.ts';
import { forget, stopFirst } from './in-place.ts';
import type { Inspection } from './inspection.ts';
import { checkJobName, RESTORE_LABEL, verifyJobName, writeJobName } from './names.ts';
import { planRestore } from './plan.ts';
import { type RestoreSource, sourceOf } from './source.ts';
import { ofLookingJob, type RestoreStep, type RestoreWorld } from './step.ts';
import { isSwitched } from './switch-disks.ts';
import { withUnbound } from './unbound.ts';

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
  const isSame = plan?.vmUid === undefined || vm?.metadata.uid === plan.vmUid;
  const mustStart = inPlace?.stopVM === true && isHalted && isSame && before !== 'Halted';
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
  const { restore, jobs } = world;
  const inspection = askedOf(world, source);
  if ('kind' in inspection) return inspection;
  const plan = planRestore({ ...world, source, inspection });
  if ('reason' in plan) return { kind: 'Fail', why: plan };
  if (restore.spec.verifyFirst) {
    const verified = jobs.get(verifyJobName(restore)) ?? { kind: 'Absent' };
    if (verified.kind === 'Absent') return { kind: 'Verify', source };
    const pending = ofLookingJob(verified, 'Verifying', 'Reads the whole chain, and proves every block.');
    if (pending !== undefined) return pending;
  }
  return { kind: 'RecordPlan', plan, isDryRun: restore.spec.dryRun };
}

/** What the check told; or the step towards it. */
function askedOf(world: RestoreWorld, source: RestoreSource): Inspection | RestoreStep {
  const { restore, inspection, jobs, unreadable } = world;
  const checked = jobs.get(checkJobName(restore)) ?? { kind: 'Absent' };
  if (checked.kind === 'Absent') return { kind: 'Check', source };
  const what = 'Looks whether all that the backup needs is in the repository.';
  const pending = ofLookingJob(checked, 'Checking', what);
  if (pending?.kind === 'Fail') return { kind: 'Fail', why: withOthers(pending.why) };
  if (pending !== undefined) return pending;
  if (inspection !== undefined) return inspection;
  if (unreadable === undefined) return { kind: 'CheckAgain' };
  // A log that cannot be fetched now may be later; one that cannot be understood never will.
  return unreadable.reason === 'BackupUnreadable'
    ? { kind: 'Fail', why: unreadable }
    : { kind: 'Wait', why: unreadable, needsPerson: true };
}

/** What to do when a backup cannot be read. */
function withOthers({ reason, message }: Why): Why {
  const isOfData = reason.startsWith('Backup');
  const others = "Others: 'kubectl get tmb', or 'tidemark-mover list' where the repository is mounted.";
  return { reason, message: isOfData ? clip(`The backup cannot be read: ${message}. ${others}`) : message };
}

function ofPlanned(world: RestoreWorld, source: RestoreSource, plan: RestorePlan): RestoreStep {
  const { restore, claims } = world;
  const { inPlace } = restore.spec.target;
  if (inPlace !== undefined) {
    const obstacle = stopFirst(world, inPlace);
    if (obstacle !== undefined) return obstacle;
  }
  const missing = plan.claims.filter(({ claimName }) => !claims.has(claimName));
  // Its Jobs may be gone by then: what a VM stands on is never written again.
  const isWritten = stands(world, plan) || allWritten(world, plan);
  if (missing.length > 0 && !isWritten) return { kind: 'MakeClaims', claims: missing };
  const foreign = plan.claims.find(
    ({ claimName }) => claims.get(claimName)?.metadata.labels?.[RESTORE_LABEL] !== restore.metadata.uid,
  );
  if (foreign !== undefined) {
    const message = `PersistentVolumeClaim '${foreign.claimName}' was made by someone else since the plan: it is left alone.`;
    return { kind: 'Fail', why: { reason: 'ClaimExists', message } };
  }
  if (!isWritten) return write(world, source, plan);
  return finish(world, source, plan);
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
    return {
      kind: 'Wait',
      why: withUnbound(stuck.standing.why, plan.claims, world.claims),
      needsPerson: false,
    };
  return { kind: 'Writing' };
}

function finish(world: RestoreWorld, source: RestoreSource, plan: RestorePlan): RestoreStep {
  const { restore, vm } = world;
  const { newVM, inPlace } = restore.spec.target;
  if (newVM !== undefined && vm === undefined) {
    // The writing may have taken a day, and the check's pod may be gone.
    const inspection = askedOf(world, source);
    return 'kind' in inspection ? inspection : { kind: 'MakeVm', inspection };
  }
  if (newVM !== undefined && vm?.metadata.labels?.[RESTORE_LABEL] !== restore.metadata.uid) {
    const message = `A VirtualMachine '${newVM.name}' was made by someone else since the plan: it is left alone.`;
    return { kind: 'Fail', why: { reason: 'VMExists', message } };
  }
  if (inPlace !== undefined && vm !== undefined) {
    const { vmName } = inPlace;
    if (!isSwitched(vm, plan)) return forget(world, source) ?? { kind: 'SwitchDisks', vmName };
    const runStrategy = plan.runStrategy ?? 'Halted';
    if (inPlace.stopVM && vm.spec.runStrategy !== runStrategy && vm.spec.running === undefined)
      return { kind: 'StartVm', vmName, runStrategy };
  }
  return { kind: 'Succeed' };
}

/** Whether the VM has come to stand on the restored claims. */
function stands({ restore, vm }: RestoreWorld, plan: RestorePlan): boolean {
  if (vm === undefined || !isSwitched(vm, plan)) return false;
  return (
    restore.spec.target.inPlace !== undefined || vm.metadata.labels?.[RESTORE_LABEL] === restore.metadata.uid
  );
}

function allWritten({ restore, jobs }: RestoreWorld, plan: RestorePlan): boolean {
  return plan.claims.every(({ volume }) => jobs.get(writeJobName(restore, volume))?.kind === 'Succeeded');
}
