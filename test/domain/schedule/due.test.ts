import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSchedule, type Slots } from '../../../src/domain/schedule/cron.ts';
import { COUNT_LIMIT, dueSlot, type DueQuestion } from '../../../src/domain/schedule/due.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

function slotsOf(schedule: string): Slots {
  const parsed = parseSchedule(schedule, 'UTC');
  if (parsed.kind === 'Invalid') throw new Error(parsed.message);
  return parsed.slots;
}

const at = (time: string): number => Date.parse(`2026-11-23T${time}Z`);
const created = at('00:30:00');

function ask(changes: Partial<DueQuestion> = {}): DueQuestion {
  const standard = {
    slots: slotsOf('0 * * * *'),
    createdAt: created,
    lastSlot: undefined,
    immediate: false,
    suspend: false,
    spreadMs: 0,
    resumedAt: undefined,
  };
  return { ...standard, startingDeadlineMs: 10 * MINUTE, ...changes };
}

describe('a slot is due', () => {
  test.each<[string, Partial<DueQuestion>, string, string | undefined, number]>([
    ['not before it comes', {}, '00:59:59.999', undefined, 0],
    ['when it comes', {}, '01:00:00', '01:00:00', 0],
    ['not again when it was run', { lastSlot: at('01:00:00') }, '01:00:01', undefined, 0],
    ['until the deadline', {}, '01:10:00', '01:00:00', 0],
    ['not after the deadline', {}, '01:10:00.001', undefined, 0],
    ['once, the newest, when several were missed', { lastSlot: at('01:00:00') }, '04:05:00', '04:00:00', 2],
    [
      'once, when several are within the deadline',
      { lastSlot: at('01:00:00'), startingDeadlineMs: 24 * HOUR },
      '04:05:00',
      '04:00:00',
      2,
    ],
    ['later, when its VMs are spread', { spreadMs: 30 * MINUTE }, '01:40:00', '01:00:00', 0],
    ['not beyond the spread and the deadline', { spreadMs: 30 * MINUTE }, '01:40:00.001', undefined, 0],
    [
      'without counting what passed while it was suspended',
      { lastSlot: at('01:00:00'), resumedAt: at('04:01:00') },
      '04:05:00',
      '04:00:00',
      0,
    ],
    ['not before the schedule was made', { createdAt: at('01:05:00') }, '01:06:00', undefined, 0],
    [
      'when a clock that was a year ahead for a moment has recorded a slot to come',
      { lastSlot: at('01:00:00') + 365 * 24 * HOUR },
      '02:00:00',
      '02:00:00',
      0,
    ],
    [
      'not again, when the clock was set back by less than a slot',
      { lastSlot: at('02:00:00') },
      '01:59:59',
      undefined,
      0,
    ],
    ['not while it is suspended', { suspend: true }, '01:00:00', undefined, 0],
    ['at the creation, with immediate', { immediate: true }, '00:30:01', '00:30:00', 0],
    ['not at the creation, when that was too long ago', { immediate: true }, '00:45:00', undefined, 0],
    [
      'not at the creation, when there was a run',
      { immediate: true, lastSlot: created },
      '00:31:00',
      undefined,
      0,
    ],
    [
      'at the cron slot after the immediate one',
      { immediate: true, lastSlot: created },
      '01:00:00',
      '01:00:00',
      0,
    ],
    ['at the cron slot, when the immediate one was missed', { immediate: true }, '01:00:05', '01:00:00', 1],
  ])('%s', (_, changes, now, slot, missed) => {
    const due = dueSlot(ask(changes), at(now));
    expect(due.slot).toBe(slot === undefined ? undefined : at(slot));
    expect(due.missed).toBe(missed);
  });

  test('and the next one is told', () => {
    expect(dueSlot(ask(), at('01:00:00')).next).toBe(at('02:00:00'));
    expect(dueSlot(ask({ suspend: true }), at('01:00:00')).next).toBeUndefined();
  });

  test('counting what was missed comes to an end', () => {
    const long = ask({ slots: slotsOf('* * * * *'), lastSlot: created - 365 * 24 * HOUR });
    expect(dueSlot(long, created).missed).toBe(COUNT_LIMIT);
  });
});

test('no slot is run twice, and none is lost when somebody looks within its deadline', () => {
  const schedules = fc.constantFrom('* * * * *', '*/7 * * * *', '0 * * * *', '13,47 */2 * * *');
  const looks = fc.array(fc.integer({ min: 1, max: 90 * 60 }), { minLength: 1, maxLength: 60 });
  fc.assert(
    fc.property(
      schedules,
      looks,
      fc.boolean(),
      fc.integer({ min: 10, max: 7200 }),
      (schedule, pauses, immediate, deadline) => {
        const slots = slotsOf(schedule);
        const startingDeadlineMs = deadline * 1000;
        const ran: number[] = [];
        const missed: number[] = [];
        let now = created;
        for (const pause of pauses) {
          const before = now;
          now += pause * 1000;
          const lastSlot = ran.at(-1);
          const due = dueSlot(
            {
              ...{ slots, createdAt: created, lastSlot, immediate, suspend: false, startingDeadlineMs },
              ...{ spreadMs: 0, resumedAt: undefined },
            },
            now,
          );
          if (due.slot !== undefined) {
            expect(due.slot).toBeGreaterThan(lastSlot ?? created - 1);
            expect(now - due.slot).toBeLessThanOrEqual(startingDeadlineMs);
            ran.push(due.slot);
            missed.push(due.missed);
          }
          // Whatever came since the last look and is within the deadline: the newest of it is run now.
          const newest = slots.lastUpTo(now);
          if (newest !== undefined && newest > before && now - newest <= startingDeadlineMs)
            expect(ran.at(-1)).toBe(newest);
          expect(due.next).toBe(slots.nextAfter(now));
        }
        expect(new Set(ran).size).toBe(ran.length);
        // Run and missed together are all slots up to the last run.
        let all = immediate ? 1 : 0;
        for (
          let slot = slots.nextAfter(created);
          slot !== undefined && slot <= (ran.at(-1) ?? 0);
          slot = slots.nextAfter(slot)
        )
          all += 1;
        if (ran.length > 0) expect(ran.length + missed.reduce((sum, it) => sum + it, 0)).toBe(all);
      },
    ),
    { numRuns: 60 },
  );
});
