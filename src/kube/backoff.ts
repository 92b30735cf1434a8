/** Exponential backoff: doubles from `baseMs` to `maxMs`. */
export interface Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
}

/**
 * How long to wait after so many failures in a row (1 = the first), in milliseconds: between half and the whole of
 * the exponential step, so that many clients that failed together do not come back together.
 * @param random a number in [0, 1)
 */
export function backoffMs(failures: number, backoff: Backoff, random: () => number): number {
  const step = Math.min(backoff.maxMs, backoff.baseMs * 2 ** Math.min(Math.max(failures, 1) - 1, 30));
  return Math.round(step / 2 + (step / 2) * random());
}
