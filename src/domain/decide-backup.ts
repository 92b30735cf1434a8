import type { Plan, VMBackup } from '../crds/vmbackup.ts';
import { type NextStep, nextStep, waitingSince } from './attempt.ts';
import { executorFor, tellExecutor } from './executor.ts';
import { isPatient, type Obstacle, obstacleOf } from './gates.ts';
import { planAttempt } from './plan.ts';
import type { Standing } from './standing.ts';
import { clip, type Why } from './why.ts';
import type { World } from './world.ts';

/**
 * What is to be done with one VMBackup now. `abandoned`: why the attempt before is over, if its agent does not say so itself.
 */
export type BackupDecision =
  /** Record this plan: the agent of its node takes it from there. */
  | { readonly kind: 'Plan'; readonly plan: Plan; readonly abandoned?: Why | undefined }
  /** It cannot begin, or not again, before something changes; look again after so many milliseconds. */
  | {
      readonly kind: 'Wait';
      readonly why: Why;
      readonly afterMs: number;
      /** Whether it stays so until someone does something. */
      readonly needsPerson: boolean;
    }
  /** The agent has it. */
  | {
      readonly kind: 'InProgress';
      readonly standing: Extract<Standing, { kind: 'Assigned' | 'Running' }>;
      readonly afterMs: number;
    }
  | { readonly kind: 'Succeeded'; readonly standing: Extract<Standing, { kind: 'Succeeded' }> }
  /** Over, without data. */
  | { readonly kind: 'Failed'; readonly why: Why; readonly abandoned?: Why | undefined };

/** How often what is awaited is looked at, beside the watches that tell of most changes. Milliseconds. */
const LOOK_AGAIN_MS = 15_000;
const PERSON_LOOK_AGAIN_MS = 60_000;
const IN_PROGRESS_LOOK_AGAIN_MS = 60_000;

/** The whole rule for one VMBackup: where it stands and what the world is like → what to do. `now` in milliseconds since the epoch. */
export function decideBackup(world: World, now: number): BackupDecision {
  const step = nextStep(world, now);
  switch (step.kind) {
    case 'Settled':
      return step.standing.kind === 'Succeeded'
        ? { kind: 'Succeeded', standing: step.standing }
        : { kind: 'Failed', why: step.standing.why };
    case 'GiveUp':
      return { kind: 'Failed', why: step.why, abandoned: step.abandoned };
    case 'BackOff':
      return { kind: 'Wait', why: step.why, afterMs: step.afterMs, needsPerson: false };
    case 'InProgress':
      return ofInProgress(world, step.standing, now);
    case 'Attempt':
      return ofAttempt(world, step, now);
  }
}

function ofAttempt(
  world: World,
  { abandoned, ...step }: Extract<NextStep, { kind: 'Attempt' }>,
  now: number,
): BackupDecision {
  const obstacle = obstacleOf(world, now);
  if (obstacle !== undefined) {
    const decision = waitOrFail(world, obstacle, now);
    return decision.kind === 'Failed' ? { ...decision, abandoned } : decision;
  }
  const vmUid = world.vm?.metadata.uid;
  const place = executorFor(world, step.attempt);
  // The gates have passed both; this only tells the compiler.
  if (vmUid === undefined || place === undefined) {
    throw new Error('unreachable: the gates let a VM through that is not there, or that starts or stops');
  }
  return { kind: 'Plan', plan: planAttempt(world, { ...step, vmUid, ...place }, now), abandoned };
}

function ofInProgress(
  world: World,
  standing: Extract<Standing, { kind: 'Assigned' | 'Running' }>,
  now: number,
): BackupDecision {
  if (standing.kind === 'Running') {
    return { kind: 'InProgress', standing, afterMs: IN_PROGRESS_LOOK_AGAIN_MS };
  }
  const message = `${tellExecutor(standing.plan)} has not taken it up: check its pod and its logs.`;
  const left = msLeft(world, now);
  if (left <= 0) {
    const abandoned = { reason: 'NodeAgentSilent', message };
    return { kind: 'Failed', why: deadlineExceeded(world, abandoned), abandoned };
  }
  return { kind: 'InProgress', standing, afterMs: Math.min(IN_PROGRESS_LOOK_AGAIN_MS, left) };
}

function waitOrFail(
  world: World,
  obstacle: Obstacle,
  now: number,
): Extract<BackupDecision, { kind: 'Wait' | 'Failed' }> {
  const { reason, message, needsPerson } = obstacle;
  const why = { reason, message: clip(message) };
  const again = obstacle.afterMs ?? (needsPerson ? PERSON_LOOK_AGAIN_MS : LOOK_AGAIN_MS);
  if (obstacle.isPatient) return { kind: 'Wait', why, afterMs: again, needsPerson };
  const left = msLeft(world, now);
  if (left <= 0) return { kind: 'Failed', why: deadlineExceeded(world, why) };
  return { kind: 'Wait', why, afterMs: Math.min(again, left), needsPerson };
}

/** Until its turn came, or its window opened, the time stood still. */
function msLeft(world: World, now: number): number {
  const since = hasWaitedPatiently(world.backup) ? now : waitingSince(world, now);
  return since + world.backup.spec.startDeadlineSeconds * 1000 - now;
}

/**
 * From when on `startDeadlineSeconds` counts, to be recorded beside the decision: it begins anew when a wait is over that was only
 * a matter of time.
 */
export function waitingSinceAfter(backup: VMBackup, decision: BackupDecision, now: Date): string | undefined {
  const stillPatient = decision.kind === 'Wait' && isPatient(decision.why.reason);
  return hasWaitedPatiently(backup) && !stillPatient ? now.toISOString() : backup.status?.waitingSince;
}

function hasWaitedPatiently({ status }: VMBackup): boolean {
  return isPatient(status?.conditions?.find(({ type }) => type === 'Reconciling')?.reason);
}

function deadlineExceeded({ backup }: World, last: Why): Why {
  const waited = `It could not begin within startDeadlineSeconds (${backup.spec.startDeadlineSeconds} s)`;
  return { reason: 'StartDeadlineExceeded', message: clip(`${waited}. ${last.reason}: ${last.message}`) };
}
