import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { offsetSeconds } from '../../../src/domain/schedule/effective.ts';
import { fractionOf } from '../../../src/domain/short-hash.ts';
import { schedule } from '../builders.ts';
import { live, type Story, type Stretch } from './simulated-year.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const FROM = Date.parse('2026-01-01T00:00:00Z');
const TO = Date.parse('2027-01-01T00:00:00Z');
const SPREAD_SECONDS = 1800;
const DEADLINE_MS = HOUR;

/** 02:30 in Berlin on each day of 2026, by nothing but the calendar. On 29 March there is none, and on 25 October there are two. */
const slots = Array.from({ length: 365 }, (_, day) => {
  const midnight = FROM + day * DAY;
  const date = new Date(midnight).toISOString().slice(0, 10);
  if (date === '2026-03-29') return midnight + HOUR; // 03:00 summer time
  const isSummer = date > '2026-03-29' && date <= '2026-10-25';
  return midnight + (isSummer ? 0.5 : 1.5) * HOUR;
});

function story(changes: Partial<Story>): Story {
  const nightly = schedule({
    schedule: '30 2 * * *',
    timeZone: 'Europe/Berlin',
    vmNames: undefined,
    vmSelector: { matchExpressions: [{ key: 'never', operator: 'DoesNotExist' }] },
    spreadSeconds: SPREAD_SECONDS,
    startingDeadlineSeconds: DEADLINE_MS / 1000,
    successfulBackupsHistoryLimit: 5,
    failedBackupsHistoryLimit: 2,
  });
  const metadata = { ...nightly.metadata, creationTimestamp: new Date(FROM).toISOString() };
  return {
    schedule: { ...nightly, metadata },
    from: FROM,
    to: TO,
    vms: new Map([
      ['always', [FROM, TO]],
      ['web', [FROM, TO]],
      ['summer', [FROM + 120 * DAY, FROM + 240 * DAY]],
    ]),
    controllerDown: [],
    suspended: [],
    tokens: [],
    fate: () => ({ ms: HOUR / 2, isGood: true }),
    ...changes,
  };
}

describe('in a year of nights', () => {
  test('each VM has one backup a night, also when the clocks change', () => {
    const { made, schedule, mostObjects } = live(story({}));
    const times = made.filter(({ vmName }) => vmName === 'always').map(({ at }) => at);
    const offset = offsetSeconds('s', 'always', SPREAD_SECONDS) * 1000;
    expect(times).toEqual(slots.map((slot) => slot + offset));
    expect(made.filter(({ vmName }) => vmName === 'summer')).toHaveLength(120);
    expect(schedule.status).toMatchObject({ missedRuns: 0, matchedVMs: 2 });
    // Five good ones, and the one that runs.
    expect(mostObjects).toBeLessThanOrEqual(6);
  });

  test('a month without a controller costs the runs of that month, is counted, and is followed by no burst', () => {
    const down: Stretch = [FROM + 100 * DAY, FROM + 130 * DAY + 12 * HOUR];
    const { made, missedSlots } = live(story({ controllerDown: [down] }));
    const always = made.filter(({ vmName }) => vmName === 'always');
    const lost = slots.filter((slot) => slot >= down[0] && slot < down[1]);
    expect(always).toHaveLength(slots.length - lost.length);
    expect(missedSlots).toBe(lost.length);
  });

  test('a controller that is back within the deadline catches up once, at once', () => {
    const back = slots[50]! + HOUR / 2;
    const { made } = live(story({ controllerDown: [[slots[48]! + 2 * HOUR, back]] }));
    const times = made.filter(({ vmName }) => vmName === 'always').map(({ at }) => at);
    expect(times).toHaveLength(364);
    expect(times[49]).toBe(back);
  });

  test('a suspended month has no runs but the one that a person asks for, and is not counted as missed', () => {
    const suspended: Stretch = [FROM + 200 * DAY, FROM + 230 * DAY + 12 * HOUR];
    const asked = FROM + 210 * DAY + 5 * HOUR;
    const { made, missedSlots } = live(story({ suspended: [suspended], tokens: [asked] }));
    const then = made.filter(({ at }) => at >= suspended[0] && at < suspended[1]);
    expect(then.map(({ vmName, at }) => [vmName, at])).toEqual([
      ['always', asked],
      ['summer', asked],
      ['web', asked],
    ]);
    expect(missedSlots).toBe(0);
  });

  test('a VM whose backup takes two days is left out meanwhile, and the others are not', () => {
    const slow = slots[20]!;
    const fate = (vmName: string, at: number) => ({
      ms: vmName === 'web' && at >= slow && at < slow + HOUR ? 2 * DAY + HOUR : HOUR / 2,
      isGood: true,
    });
    const { made } = live(story({ fate }));
    expect(made.filter(({ vmName }) => vmName === 'always')).toHaveLength(365);
    expect(made.filter(({ vmName }) => vmName === 'web')).toHaveLength(363);
  });
});

const anyStretches = fc.array(
  fc.tuple(fc.integer({ min: 0, max: 364 * 24 }), fc.integer({ min: 1, max: 24 * 12 })),
  { maxLength: 6 },
);
const stretches = (hours: readonly (readonly [number, number])[]): Stretch[] =>
  hours.map(([from, length]) => [FROM + from * HOUR, FROM + (from + length) * HOUR]);

test('whatever happens in a year, nothing is made twice, nobody is backed up twice at once, and who could be backed up was', () => {
  const any = fc.record({
    down: anyStretches,
    suspended: anyStretches,
    tokens: fc.array(fc.integer({ min: 0, max: 364 * 24 * 60 }), { maxLength: 5 }),
    seed: fc.string(),
  });
  fc.assert(
    fc.property(any, ({ down, suspended, tokens, seed }) => {
      const told = story({
        controllerDown: stretches(down),
        suspended: stretches(suspended),
        tokens: tokens.map((minute) => FROM + minute * 60_000),
        fate: (vmName, at) => {
          const luck = fractionOf(seed, vmName, String(at));
          return { ms: luck > 0.97 ? 30 * HOUR : luck * 2 * HOUR, isGood: luck > 0.1 };
        },
      });
      const { made, mostObjects } = live(told);
      expect(new Set(made.map(({ name }) => name)).size).toBe(made.length);
      expect(made.some(({ besideAnother }) => besideAnother)).toBe(false);
      // Five good ones, two failed ones and the one that runs.
      expect(mostObjects).toBeLessThanOrEqual(8);
      const troubled = [...told.controllerDown, ...told.suspended];
      for (const slot of slots) {
        const isQuiet = !troubled.some(([from, to]) => from < slot + HOUR && to > slot - 1);
        if (!isQuiet) continue;
        // It had one in that night, or it was busy with one from before.
        const near = made.filter(
          ({ vmName, at }) => vmName === 'always' && at > slot - 31 * HOUR && at <= slot + HOUR / 2,
        );
        expect(near.length).toBeGreaterThan(0);
      }
    }),
    { numRuns: 6 },
  );
}, 120_000);
