import { describe, expect, test } from 'vitest';
import { neverRuns, parseSchedule, type Slots } from '../../../src/domain/schedule/cron.ts';

function slotsOf(schedule: string, timeZone = 'UTC'): Slots {
  const parsed = parseSchedule(schedule, timeZone);
  if (parsed.kind === 'Invalid') throw new Error(parsed.message);
  return parsed.slots;
}

function next(slots: Slots, from: string, count: number): string[] {
  const found: string[] = [];
  let at = Date.parse(from);
  for (let i = 0; i < count; i++) {
    at = slots.nextAfter(at) ?? Number.NaN;
    found.push(new Date(at).toISOString().slice(0, 16));
  }
  return found;
}

describe('slots', () => {
  test('come after an instant, and never are the instant itself', () => {
    const slots = slotsOf('0 2 * * *');
    expect(next(slots, '2026-11-23T02:00:00Z', 2)).toEqual(['2026-11-24T02:00', '2026-11-25T02:00']);
    expect(next(slots, '2026-11-23T01:59:59.999Z', 1)).toEqual(['2026-11-23T02:00']);
  });

  test.each([
    ['2026-11-23T02:00:00.000Z', '2026-11-23T02:00:00.000Z'],
    ['2026-11-23T02:00:00.999Z', '2026-11-23T02:00:00.000Z'],
    ['2026-11-23T01:59:59.999Z', '2026-11-22T02:00:00.000Z'],
  ])('the last one up to %s is %s', (now, slot) => {
    expect(slotsOf('0 2 * * *').lastUpTo(Date.parse(now))).toBe(Date.parse(slot));
  });

  test.each(['@hourly', '@daily', '@weekly', '@monthly', '@yearly', '@annually', '@midnight'])(
    '%s is understood',
    (nickname) => {
      expect(slotsOf(nickname).nextAfter(0)).toBeGreaterThan(0);
    },
  );
});

describe('when the clocks change in Berlin', () => {
  test('a fixed time that spring skips comes as soon as the clocks have changed, and is not lost', () => {
    const local = next(slotsOf('30 2 * * *', 'Europe/Berlin'), '2026-03-28T00:00:00Z', 3);
    expect(local).toEqual(['2026-03-28T01:30', '2026-03-29T01:00', '2026-03-30T00:30'].map((it) => it));
  });

  test('a fixed time that autumn repeats comes once', () => {
    expect(next(slotsOf('30 2 * * *', 'Europe/Berlin'), '2026-10-24T12:00:00Z', 2)).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
  });

  test.each(['2026-03-28T23:45:00Z', '2026-10-24T23:45:00Z'])(
    'half hours go on without gap or double (%s)',
    (from) => {
      const found = next(slotsOf('*/30 * * * *', 'Europe/Berlin'), from, 10).map((it) =>
        Date.parse(`${it}Z`),
      );
      for (const [i, at] of found.entries()) if (i > 0) expect(at - (found[i - 1] ?? 0)).toBe(1_800_000);
    },
  );

  test.each(['30 2 * * *', '*/30 * * * *', '15 1-3 * * *', '0 0,2,3 * * 0'])(
    'looking back finds what looking ahead promised (%s)',
    (schedule) => {
      const slots = slotsOf(schedule, 'Europe/Berlin');
      for (const [from, to] of [
        ['2026-03-27T00:00:00Z', '2026-03-31T00:00:00Z'],
        ['2026-10-23T00:00:00Z', '2026-10-27T00:00:00Z'],
      ] as const) {
        const end = Date.parse(to);
        let slot = slots.nextAfter(Date.parse(from)) ?? end;
        while (slot < end) {
          const following = slots.nextAfter(slot) ?? end;
          expect(slots.lastUpTo(slot)).toBe(slot);
          expect(slots.lastUpTo(following - 1)).toBe(slot);
          slot = following;
        }
      }
    },
  );
});

describe('what cannot be understood is answered with a sentence', () => {
  test.each([
    [
      '61 * * * *',
      'UTC',
      'InvalidSchedule',
      "schedule '61 * * * *' cannot be read (Invalid value for minute: 61): write five fields",
    ],
    ['* * * *', 'UTC', 'InvalidSchedule', "schedule '* * * *' cannot be read"],
    ['0 0 2 * * *', 'UTC', 'InvalidSchedule', 'has six fields, and there is none for seconds here'],
    ['0 2 * * *', 'Mars/Base', 'InvalidTimeZone', "timeZone 'Mars/Base' is not known: write an IANA name"],
    ['0 2 * * *', '', 'InvalidTimeZone', 'is not known'],
  ])('%s in %s', (schedule, timeZone, reason, sentence) => {
    expect(parseSchedule(schedule, timeZone)).toMatchObject({
      kind: 'Invalid',
      reason,
      message: expect.stringContaining(sentence),
    });
  });

  test('a day that never comes', () => {
    expect(slotsOf('0 0 31 2 *').nextAfter(0)).toBeUndefined();
    expect(neverRuns('0 0 31 2 *')).toMatchObject({
      reason: 'InvalidSchedule',
      message: expect.stringContaining('never comes'),
    });
  });
});
