import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `bytes` more may be moved. */
export type Pace = (bytes: number, signal: AbortSignal) => Promise<void>;

/** The clock in milliseconds, and the wait: parameters, so that a test owns the time. */
export interface PaceClock {
  readonly now: () => number;
  readonly sleep: (milliseconds: number, signal: AbortSignal) => Promise<void>;
}

const realClock: PaceClock = {
  now: () => performance.now(),
  sleep: async (milliseconds, signal) => {
    // An abort ends the wait; whoever moves the bytes sees the signal next.
    await sleep(milliseconds, undefined, { signal }).catch(() => {});
  },
};

/** Moves at most `bytesPerSecond` over any stretch of time: unused time is not saved up. */
export function paced(bytesPerSecond: number | undefined, clock: PaceClock = realClock): Pace {
  if (bytesPerSecond === undefined) return async () => {};
  let freeAt = 0;
  return async (bytes, signal) => {
    const now = clock.now();
    const startAt = Math.max(now, freeAt);
    freeAt = startAt + (bytes * 1000) / bytesPerSecond;
    if (startAt > now) await clock.sleep(startAt - now, signal);
  };
}
