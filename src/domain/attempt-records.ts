import { type AttemptRecord, MOST_ATTEMPT_RECORDS } from '../crds/attempt-record.ts';
import type { VMBackup } from '../crds/vmbackup.ts';
import { currentExecution } from './outcome.ts';
import type { Standing } from './standing.ts';
import { clip, type Why } from './why.ts';

/** Reason in the record of an attempt whose data is committed. */
const SUCCEEDED = 'Succeeded';

/**
 * What came of each attempt of a backup that is over, oldest first. What its agent says of the current one is believed whenever
 * it comes, even after the attempt was given up; a record that was made stays otherwise.
 * @param abandoned why the current attempt is over without a word of its agent, if it is
 * @param now when it is recorded, and the end of an attempt that is abandoned
 */
export function attemptRecords(
  { status }: Pick<VMBackup, 'status'>,
  abandoned: Why | undefined,
  now: Date,
): readonly AttemptRecord[] {
  const { attempts = [], plan } = status ?? {};
  if (plan === undefined) return attempts;
  const execution = currentExecution(plan, status?.execution);
  const told = endTold(execution);
  const known = attempts.find(({ attempt }) => attempt === plan.attempt);
  const end =
    told ??
    (known !== undefined || abandoned === undefined ? undefined : { ...abandoned, endedAt: iso(now) });
  if (end === undefined) return attempts;
  const record: AttemptRecord = {
    attempt: plan.attempt,
    node: plan.nodeName,
    ...(execution && { startedAt: execution.startedAt }),
    endedAt: end.endedAt,
    recordedAt: known === undefined ? now.toISOString() : known.recordedAt,
    reason: end.reason,
    message: clip(end.message),
  };
  const others = attempts.filter(({ attempt }) => attempt !== plan.attempt);
  return [...others, record].sort((a, b) => a.attempt - b.attempt).slice(-MOST_ATTEMPT_RECORDS);
}

/**
 * When the controller heard that an attempt had failed, by its own clock: now, if it is not recorded yet. A node whose clock is
 * ahead would delay the next attempt by that much. Milliseconds since the epoch.
 */
export function heardOfEnd(
  { status }: Pick<VMBackup, 'status'>,
  { plan, execution }: Extract<Standing, { kind: 'AttemptFailed' }>,
  now: number,
): number {
  const record = status?.attempts?.find(({ attempt }) => attempt === plan.attempt);
  if (record === undefined) return now;
  // A record of an earlier release knows the node's clock only, which may be ahead.
  const heard = Date.parse(record.recordedAt ?? execution.completedAt ?? execution.startedAt);
  return heard <= now ? heard : 0;
}

function endTold(
  execution: ReturnType<typeof currentExecution>,
): (Why & { readonly endedAt: string }) | undefined {
  if (execution?.completedAt === undefined) return undefined;
  const { completedAt: endedAt, error } = execution;
  if (error === undefined) return { reason: SUCCEEDED, message: 'The data is committed.', endedAt };
  return { reason: error.reason, message: error.message, endedAt };
}

function iso(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}
