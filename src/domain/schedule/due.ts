import type { Slots } from './cron.ts';

/** What decides whether a schedule runs now. Times in milliseconds since the epoch. */
export interface DueQuestion {
  readonly slots: Slots;
  readonly createdAt: number;
  /** The slot of the last run, if there was one. */
  readonly lastSlot: number | undefined;
  readonly immediate: boolean;
  readonly suspend: boolean;
  readonly startingDeadlineMs: number;
  /** How much later than the slot the last VM begins, at most. */
  readonly spreadMs: number;
  /** Slots before do not count as missed: it was suspended. */
  readonly resumedAt: number | undefined;
}

export interface Due {
  /** The slot to run now; undefined if none is due. */
  readonly slot: number | undefined;
  /** Slots before it that passed without a run (counted up to {@link COUNT_LIMIT}). */
  readonly missed: number;
  /** The first slot after now; undefined while suspended, or if none is left. */
  readonly next: number | undefined;
}

/** A schedule that slept for a year is not worth counting its minutes. */
export const COUNT_LIMIT = 1000;

/**
 * Finds the slot to run at this instant. Of all slots since the last run only the newest counts, and only within the
 * deadline: one catch-up, never a burst. Each slot is answered once, as long as the run is recorded as the last slot.
 *
 * With `immediate`, the instant of creation is a slot too. A suspended schedule runs nothing; when it wakes, a slot that
 * passed within the deadline is caught up with, like any missed one.
 */
export function dueSlot(asked: DueQuestion, now: number): Due {
  if (asked.suspend) return { slot: undefined, missed: 0, next: undefined };
  const { slots, createdAt } = asked;
  const next = slots.nextAfter(now);
  const lastSlot = believable(asked, next, now);
  const question = { ...asked, lastSlot };
  const newest = newestSlot(question, now);
  if (newest === undefined || now - newest > question.startingDeadlineMs + spreadOf(question, newest)) {
    return { slot: undefined, missed: 0, next };
  }
  // Without an earlier run and with `immediate`, the slot of creation itself was missed if it is not the newest.
  const skippedFirst = question.immediate && lastSlot === undefined && newest !== createdAt ? 1 : 0;
  const countFrom = Math.max(lastSlot ?? createdAt, question.resumedAt ?? 0);
  return { slot: newest, missed: skippedFirst + countBetween(slots, countFrom, newest), next };
}

/**
 * Over how many milliseconds the VMs of a slot are spread: never beyond the next slot, and not at all at the slot of creation,
 * which is to come at once.
 */
export function spreadOf(
  { slots, spreadMs, immediate, createdAt }: Omit<DueQuestion, 'lastSlot' | 'suspend' | 'resumedAt'>,
  slot: number,
): number {
  if (immediate && slot === createdAt) return 0;
  return Math.min(spreadMs, (slots.nextAfter(slot) ?? Number.POSITIVE_INFINITY) - slot);
}

/**
 * The slot of the last run. One that lies behind the next was recorded by a clock that was ahead: it would keep the schedule from running
 * until it comes, so the newest slot counts as not run. Was it, its backups are there by their names.
 */
function believable(
  { slots, lastSlot }: DueQuestion,
  next: number | undefined,
  now: number,
): number | undefined {
  if (lastSlot === undefined || next === undefined || lastSlot <= next) return lastSlot;
  return (slots.lastUpTo(now) ?? now) - 1;
}

/** The newest slot in (last run or creation, now]. */
function newestSlot({ slots, createdAt, lastSlot, immediate }: DueQuestion, now: number): number | undefined {
  const after = lastSlot ?? createdAt;
  const newest = slots.lastUpTo(now);
  if (newest !== undefined && newest > after) return newest;
  return immediate && lastSlot === undefined && createdAt <= now ? createdAt : undefined;
}

/** How many slots lie strictly between two instants. */
function countBetween(slots: Slots, after: number, before: number): number {
  let count = 0;
  let slot = slots.nextAfter(after);
  while (slot !== undefined && slot < before && count < COUNT_LIMIT) {
    count += 1;
    slot = slots.nextAfter(slot);
  }
  return count;
}
