import type { Execution, Plan, VMBackup } from '../crds/vmbackup.ts';
import { gaveWay, givenWayBefore, MOST_GIVEN_WAY } from './gave-way.ts';
import { currentExecution, hasSucceeded } from './outcome.ts';
import { clip, type Why } from './why.ts';

/** Where a backup stands, from its record alone: no clock, nothing remembered. */
export type Standing =
  /** Nothing was decided yet. */
  | { readonly kind: 'New' }
  /** Planned; the agent has not begun. */
  | { readonly kind: 'Assigned'; readonly plan: Plan }
  | { readonly kind: 'Running'; readonly plan: Plan; readonly execution: Execution }
  /** The attempt failed and another one may follow. */
  | { readonly kind: 'AttemptFailed'; readonly plan: Plan; readonly execution: Execution; readonly why: Why }
  /** The data is committed in the repository. */
  | { readonly kind: 'Succeeded'; readonly plan: Plan; readonly execution: Execution }
  /** Over, without data. */
  | { readonly kind: 'Failed'; readonly why: Why };

/**
 * Reads where a backup stands. What the agent committed is always believed, even when the controller gave the backup up in the
 * meantime: the data is there. A condition `Stalled` is set on a VMBackup only when it failed for good.
 */
export function standingOf({ spec, status }: Pick<VMBackup, 'spec' | 'status'>): Standing {
  const plan = status?.plan;
  const execution = currentExecution(plan, status?.execution);
  if (plan !== undefined && execution !== undefined && hasSucceeded(execution)) {
    return { kind: 'Succeeded', plan, execution };
  }
  const stalled = status?.conditions?.find(({ type, status }) => type === 'Stalled' && status === 'True');
  if (stalled !== undefined) {
    return { kind: 'Failed', why: { reason: stalled.reason, message: stalled.message } };
  }
  if (plan === undefined) return { kind: 'New' };
  if (execution === undefined) return { kind: 'Assigned', plan };
  if (execution.error === undefined) return { kind: 'Running', plan, execution };
  if (execution.error.final) return { kind: 'Failed', why: execution.error };
  if (gaveWay(execution.error.reason)) {
    if (givenWayBefore(plan) >= MOST_GIVEN_WAY)
      return { kind: 'Failed', why: restless(plan, execution.error) };
  } else if (isExhausted(plan, spec.backoffLimit)) {
    return { kind: 'Failed', why: exhausted(plan, spec.backoffLimit, execution.error) };
  }
  return { kind: 'AttemptFailed', plan, execution, why: execution.error };
}

/** Reasons of a backup that waits before it is tried again: the attempt failed, or gave way to what matters more. */
export const ATTEMPT_FAILED = 'AttemptFailed';
export const ATTEMPT_GAVE_WAY = 'AttemptGaveWay';

/** Whether a backup is over, well or badly. */
export function isOver(standing: Standing): boolean {
  return standing.kind === 'Succeeded' || standing.kind === 'Failed';
}

/** Whether an agent may be at work for it. */
export function isUnderWay(standing: Standing): boolean {
  return standing.kind === 'Assigned' || standing.kind === 'Running';
}

/** Whether the plan's attempt, having failed, was the last one. */
export function isExhausted(plan: Plan, backoffLimit: number): boolean {
  return (plan.failedAttempts ?? 0) + 1 > backoffLimit;
}

/** The end after the last attempt. */
export function exhausted(plan: Plan, backoffLimit: number, last: Why): Why {
  const tries = (plan.failedAttempts ?? 0) + 1;
  const count = tries === 1 ? 'The only attempt' : `All ${tries} attempts`;
  const message = `${count} failed (backoffLimit ${backoffLimit}), and no other follows: take a new backup when the cause is mended. The last one failed with ${last.reason}: ${last.message}`;
  return { reason: 'BackoffLimitExceeded', message: clip(message) };
}

function restless(plan: Plan, last: Why): Why {
  const times = givenWayBefore(plan) + 1;
  const message = `It gave way ${times} times, which nobody waits out; the last time with ${last.reason}: ${last.message} Back up when the VM stays where it is, and look why the node agent is stopped if it is.`;
  return { reason: 'GaveWayTooOften', message: clip(message) };
}
