import type { Why } from '../why.ts';
import { clip } from '../why.ts';
import type { JobStanding } from './job-standing.ts';

/** What has not begun after so long does not without a person: an image that is not there, a volume that no node can mount. */
export const START_DEADLINE_MS = 600_000;
/** Every pod waits a little; after so long it is worth telling. */
const WORTH_TELLING_MS = 60_000;

type Waiting = JobStanding & { readonly kind: 'Waiting' };

/** Why a Job that waits for its pod is given up; undefined while there is time. `now` in milliseconds since the epoch. */
export function neverBegan(
  job: string,
  standing: Waiting,
  now: number,
  deadlineMs = START_DEADLINE_MS,
): Why | undefined {
  if (waitedMs(standing, now) < deadlineMs) return undefined;
  const { reason, message } = standing.why;
  const within = `${Math.round(deadlineMs / 60_000)} minutes`;
  return {
    reason: 'JobNotStarted',
    message: clip(`Job '${job}' did not begin within ${within} (${reason}): ${message}`),
  };
}

/** What a Job waits for, once it has waited long enough to be told. */
export function worthTelling(standing: Waiting, now: number): Why | undefined {
  return waitedMs(standing, now) < WORTH_TELLING_MS ? undefined : standing.why;
}

function waitedMs({ since }: Waiting, now: number): number {
  const began = Date.parse(since ?? '');
  return Number.isNaN(began) ? 0 : now - began;
}
