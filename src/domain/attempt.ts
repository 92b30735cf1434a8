import type { Plan } from '../crds/vmbackup.ts';
import type { Agent } from './agent-report.ts';
import { heardOfEnd } from './attempt-records.ts';
import { isStillRight } from './executor.ts';
import { gaveWay, givenWayBefore } from './gave-way.ts';
import {
  ATTEMPT_FAILED,
  ATTEMPT_GAVE_WAY,
  exhausted,
  isExhausted,
  type Standing,
  standingOf,
} from './standing.ts';
import type { Why } from './why.ts';
import type { World } from './world.ts';

/** What to do with a backup now, as far as its attempts go. */
export type NextStep =
  /** It is over. */
  | { readonly kind: 'Settled'; readonly standing: Extract<Standing, { kind: 'Succeeded' | 'Failed' }> }
  /** Give it up, for good. */
  | { readonly kind: 'GiveUp'; readonly why: Why; readonly abandoned: Why }
  /** The agent has it. */
  | { readonly kind: 'InProgress'; readonly standing: Extract<Standing, { kind: 'Assigned' | 'Running' }> }
  /** Try again, but not yet. */
  | { readonly kind: 'BackOff'; readonly why: Why; readonly afterMs: number }
  /** Plan this attempt. */
  | {
      readonly kind: 'Attempt';
      readonly attempt: number;
      readonly failedAttempts: number;
      /** Why the attempt before is over, if its agent does not say so itself. */
      readonly abandoned?: Why;
    };

/** The wait after the first failed attempt; doubles with each. Milliseconds. */
export const FIRST_RETRY_MS = 30_000;
/** The same after one that gave way. */
export const FIRST_RETURN_MS = 2000;
export const LONGEST_RETRY_MS = 600_000;
/** An agent that is silent for this long in the middle of a backup is taken for lost with its node. */
export const AGENT_LOST_MS = 600_000;

/** Decides whether a backup needs a new attempt. `now` in milliseconds since the epoch. */
export function nextStep(world: World, now: number): NextStep {
  const standing = standingOf(world.backup);
  switch (standing.kind) {
    case 'Succeeded':
    case 'Failed':
      return { kind: 'Settled', standing };
    case 'New':
      return { kind: 'Attempt', attempt: 1, failedAttempts: 0 };
    case 'Assigned':
      return ofAssigned(world, standing);
    case 'Running':
      return ofRunning(world, standing, now);
    case 'AttemptFailed':
      return ofFailed(world, standing, now);
  }
}

/**
 * The instant from which `startDeadlineSeconds` counts: the creation, the end of the last attempt that failed, or of the wait for
 * its turn. One that is still to come is told by a clock that is wrong.
 * Milliseconds since the epoch.
 */
export function waitingSince({ backup }: Pick<World, 'backup'>, now: number): number {
  const { creationTimestamp } = backup.metadata;
  const { attempts = [], waitingSince } = backup.status ?? {};
  const ends = attempts.map(({ recordedAt, endedAt }) => recordedAt ?? endedAt);
  const times = [creationTimestamp, waitingSince, ...ends].map((time) => Date.parse(time ?? ''));
  return Math.max(0, ...times.filter((time) => time <= now));
}

/** The wait before the attempt that follows so many failed ones, or so many that gave way. Milliseconds. */
export function retryDelayMs(attempts: number, firstMs = FIRST_RETRY_MS): number {
  return Math.min(LONGEST_RETRY_MS, firstMs * 2 ** Math.min(attempts - 1, 30));
}

/**
 * The VM moved, or was made anew, before the agent began: plan again. The new attempt's number fences off the agent of the old node,
 * should it begin after all. Nothing failed, so it costs none of the tries.
 */
function ofAssigned(world: World, standing: Extract<Standing, { kind: 'Assigned' }>): NextStep {
  const { plan } = standing;
  const sameVm = plan.vmUid === world.vm?.metadata.uid;
  if (sameVm && isStillRight(plan, world)) return { kind: 'InProgress', standing };
  if (!sameVm)
    return again(plan, { reason: 'VMReplaced', message: 'The VM was made anew before its backup began.' });
  if (plan.job !== undefined) return again(plan, VM_STARTED);
  const message = `The VM left node '${plan.nodeName}' before the agent there began.`;
  return again(plan, { reason: 'VMMoved', message });
}

const VM_STARTED: Why = { reason: 'VMStarted', message: 'The VM was started, and its Job gave way.' };

/** Nothing failed: the world changed. */
function again(plan: Plan, abandoned: Why): NextStep {
  return { kind: 'Attempt', attempt: plan.attempt + 1, failedAttempts: plan.failedAttempts ?? 0, abandoned };
}

/** An agent that restarts goes on with its work. One whose node is gone never will. */
function ofRunning(world: World, standing: Extract<Standing, { kind: 'Running' }>, now: number): NextStep {
  const { plan, execution } = standing;
  const { agents, backup } = world;
  // A Job gives way to a VM that starts; its own end is seen by whoever watches it.
  if (plan.job !== undefined) {
    if (isStillRight(plan, world)) return { kind: 'InProgress', standing };
    return again(plan, VM_STARTED);
  }
  const begun = Date.parse(execution.startedAt) || 0;
  // By the node's clock: if it is ahead, it proves no sign of life.
  const heard = Math.max(lastSeen(agents, plan.nodeName), begun <= now ? begun : 0);
  if (now - heard <= AGENT_LOST_MS) return { kind: 'InProgress', standing };
  const why: Why = {
    reason: 'AgentLost',
    message: `The node agent on '${plan.nodeName}' has given no sign of life for ${Math.floor((now - heard) / 60_000)} minutes.`,
  };
  const { backoffLimit } = backup.spec;
  if (isExhausted(plan, backoffLimit))
    return { kind: 'GiveUp', why: exhausted(plan, backoffLimit, why), abandoned: why };
  const failedAttempts = (plan.failedAttempts ?? 0) + 1;
  return { kind: 'Attempt', attempt: plan.attempt + 1, failedAttempts, abandoned: why };
}

function ofFailed(
  { backup }: World,
  standing: Extract<Standing, { kind: 'AttemptFailed' }>,
  now: number,
): NextStep {
  const { plan, why } = standing;
  const spared = gaveWay(why.reason);
  const failedAttempts = (plan.failedAttempts ?? 0) + (spared ? 0 : 1);
  const delayMs = spared
    ? retryDelayMs(givenWayBefore(plan) + 1, FIRST_RETURN_MS)
    : retryDelayMs(failedAttempts);
  const ended = heardOfEnd(backup, standing, now);
  const afterMs = ended + delayMs - now;
  if (afterMs > 0) {
    const again = new Date(ended + delayMs).toISOString().slice(11, 19);
    const verb = spared ? 'gave way' : 'failed';
    const message = `Attempt ${plan.attempt} ${verb} with ${why.reason}: ${why.message} The next one follows at ${again} UTC.`;
    return { kind: 'BackOff', why: { reason: spared ? ATTEMPT_GAVE_WAY : ATTEMPT_FAILED, message }, afterMs };
  }
  return { kind: 'Attempt', attempt: plan.attempt + 1, failedAttempts };
}

function lastSeen(agents: readonly Agent[], nodeName: string): number {
  return agents.find((agent) => agent.nodeName === nodeName)?.seenAt ?? 0;
}
