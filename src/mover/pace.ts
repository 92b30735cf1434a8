import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until `bytes` more may be moved. Several copies may share one: the limit then holds for them together. */
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

/**
 * A timer rings late, and what it is late by would be lost at every piece. So much may be caught up, in milliseconds; more
 * would be a burst. With pieces of `pieceBytesFor` the two together stay below 5 % of any two seconds.
 */
const CATCH_UP = 40;
const LARGEST_PIECE_BYTES = 1024 * 1024;
const SMALLEST_PIECE_BYTES = 64 * 1024;

/** Moves at most `bytesPerSecond` over any stretch of time: unused time is not saved up. */
export function paced(bytesPerSecond: number | undefined, clock: PaceClock = realClock): Pace {
  if (bytesPerSecond === undefined) return async () => {};
  let freeAt = 0;
  return async (bytes, signal) => {
    const now = clock.now();
    const startAt = Math.max(now - CATCH_UP, freeAt);
    freeAt = startAt + (bytes * 1000) / bytesPerSecond;
    if (startAt > now) await clock.sleep(startAt - now, signal);
  };
}

/**
 * How much to move at once: 1 MiB, or less where that alone would be a burst (2 % of what two seconds allow), down to a
 * cluster. So below 1.6 MB/s a cluster is more than 4 % of two seconds, and the limit holds over longer stretches only.
 */
export function pieceBytesFor(bytesPerSecond: number | undefined): number {
  const share = (bytesPerSecond ?? Number.POSITIVE_INFINITY) / 25;
  const clusters = Math.floor(Math.min(share, LARGEST_PIECE_BYTES) / SMALLEST_PIECE_BYTES);
  return Math.max(1, clusters) * SMALLEST_PIECE_BYTES;
}
