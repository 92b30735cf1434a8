import type { Slots } from './cron.ts';

/** So many slots ahead are looked at: more than a working day's and a week's pattern takes. */
const SLOTS_AHEAD = 64;

/**
 * The longest time that a schedule leaves between two of its slots, in milliseconds: how old a good backup may become when
 * nothing goes wrong. `0 2 * * 1-5` pauses over the weekend, so it is three days. Undefined if there are no two slots.
 */
export function longestIntervalMs(slots: Slots, now: number): number | undefined {
  let longest: number | undefined;
  let slot = slots.nextAfter(now);
  for (let count = 0; slot !== undefined && count < SLOTS_AHEAD; count++) {
    const next = slots.nextAfter(slot);
    if (next === undefined) break;
    longest = Math.max(longest ?? 0, next - slot);
    slot = next;
  }
  return longest;
}
