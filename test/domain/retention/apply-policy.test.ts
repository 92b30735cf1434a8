import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyPolicy } from '../../../src/domain/retention/apply-policy.ts';
import type { Point, Retention, RetentionPolicy } from '../../../src/domain/retention/policy.ts';
import { inChains, point } from './points.ts';

const HOUR = 3_600_000;

/** A point every `hours` hours, oldest first. */
function every(hours: number, from: string, count: number): readonly Point[] {
  return Array.from({ length: count }, (_, index) =>
    point(new Date(Date.parse(from) + index * hours * HOUR).toISOString()),
  );
}

function tell({ keep, remove }: Retention): string {
  const kept = keep.map(({ point: { name }, reasons }) => {
    const why = reasons.map(({ rule, detail }) => (detail === '' ? rule : `${rule} ${detail}`));
    return `keep   ${name}  ${why.join(', ')}`;
  });
  return `${[...kept, ...remove.map(({ name }) => `remove ${name}`)].join('\n')}\n`;
}

const names = (points: readonly Point[]) => points.map(({ name }) => name);
const kept = (retention: Retention) => names(retention.keep.map((each) => each.point));

describe('goldens: two years of points, and what each policy makes of them', () => {
  const years = [...every(24 * 9, '2024-12-30T22:30:00Z', 75), ...every(5, '2026-11-01T01:00:00Z', 60)];
  const policies: Readonly<Record<string, RetentionPolicy>> = {
    'last-3': { keepLast: 3 },
    'hourly-4-daily-3': { keepHourly: 4, keepDaily: 3 },
    'grandfather-father-son': { keepDaily: 7, keepWeekly: 4, keepMonthly: 12, keepYearly: 3 },
    'within-1y2m': { keepWithin: '1y2m' },
  };
  test.each(Object.keys(policies))('%s', async (name) => {
    const decided = applyPolicy(years, policies[name]!, 'Europe/Berlin');
    await expect(tell(decided)).toMatchFileSnapshot(`../../golden/retention/${name}.txt`);
  });
  test('grandfather-father-son on chains of ten: the ancestors of what is kept stay', async () => {
    const decided = applyPolicy(inChains(years, 10), policies['grandfather-father-son']!, 'Europe/Berlin');
    await expect(tell(decided)).toMatchFileSnapshot('../../golden/retention/chains-of-ten.txt');
  });
});

describe('days begin where people live', () => {
  const late = [point('2026-11-22T22:30:00Z'), point('2026-11-22T23:30:00Z')];
  test('two points of one day in UTC are of two days in Berlin', () => {
    expect(kept(applyPolicy(late, { keepDaily: 2 }, 'UTC'))).toHaveLength(1);
    expect(kept(applyPolicy(late, { keepDaily: 2 }, 'Europe/Berlin'))).toHaveLength(2);
  });
  test('the hour that comes twice when clocks are set back is two hours', () => {
    const twice = [point('2026-10-25T00:30:00Z'), point('2026-10-25T01:30:00Z')];
    expect(kept(applyPolicy(twice, { keepHourly: 2 }, 'Europe/Berlin'))).toHaveLength(2);
  });
  test('the week of New Year belongs to the year of its Thursday', () => {
    const [first] = applyPolicy([point('2027-01-01T12:00:00Z')], { keepWeekly: 1 }, 'UTC').keep;
    expect(first?.reasons).toContainEqual({ rule: 'KeepWeekly', detail: '2026-W53' });
  });
});

describe('what is never removed', () => {
  const four = inChains(every(24, '2026-11-01T00:00:00Z', 4), 4);
  test('a chain under its newest link: the others say that they only carry it', () => {
    const { keep, remove } = applyPolicy(four, { keepLast: 1 }, 'UTC');
    expect(remove).toEqual([]);
    expect(keep.map(({ reasons }) => reasons.map(({ rule }) => rule))).toEqual([
      ['NewestGood', 'KeepLast'],
      ['CarriesOthers'],
      ['CarriesOthers'],
      ['CarriesOthers'],
    ]);
  });
  test('the newest good point, whatever the policy says, and however old it is', () => {
    expect(kept(applyPolicy([point('2001-01-01T00:00:00Z')], {}, 'UTC'))).toHaveLength(1);
  });
  test('a damaged newest point does not count as the newest good one, and fills no place', () => {
    const [old, good, damaged] = [
      point('2026-11-01T00:00:00Z'),
      point('2026-11-02T00:00:00Z'),
      point('2026-11-03T00:00:00Z', { damaged: true }),
    ];
    const decided = applyPolicy([old, good, damaged], { keepLast: 1 }, 'UTC');
    expect(kept(decided)).toEqual(names([damaged, good]));
    expect(decided.keep[1]?.reasons[0]?.rule).toBe('NewestGood');
  });
  test('what is on hold, or bears a tag that is kept', () => {
    const held = point('2026-11-01T00:00:00Z', { held: true });
    const tagged = point('2026-11-02T00:00:00Z', { tags: ['before-upgrade', 'other'] });
    const newest = point('2026-11-03T00:00:00Z');
    const decided = applyPolicy([held, tagged, newest], { keepLast: 1, keepTags: ['before-upgrade'] }, 'UTC');
    expect(decided.keep.map(({ reasons }) => reasons[0])).toEqual([
      { rule: 'NewestGood', detail: '' },
      { rule: 'KeepTags', detail: 'before-upgrade' },
      { rule: 'Hold', detail: '' },
    ]);
  });
  test('what another schedule made, and what that stands on', () => {
    const [base, other, ...rest] = inChains(every(24, '2026-11-01T00:00:00Z', 4), 2);
    const decided = applyPolicy([base!, { ...other!, decided: false }, ...rest], { keepLast: 1 }, 'UTC');
    expect(decided.remove).toEqual([]);
  });
  test('anything, when keepWithin cannot be understood', () => {
    const all = every(24, '2026-11-01T00:00:00Z', 9);
    expect(applyPolicy(all, { keepWithin: 'a while' }, 'UTC').remove).toEqual([]);
  });
});

test('keepWithin counts from the newest good point, not from now: when backups stop, nothing vanishes', () => {
  const all = every(24, '2020-01-01T00:00:00Z', 10);
  expect(kept(applyPolicy(all, { keepWithin: '3d' }, 'UTC'))).toHaveLength(4);
});

describe('properties', () => {
  const count = fc.option(fc.integer({ min: 0, max: 5 }), { nil: undefined });
  const policies: fc.Arbitrary<RetentionPolicy> = fc.record({
    keepLast: count,
    keepHourly: count,
    keepDaily: count,
    keepWeekly: count,
    keepMonthly: count,
    keepYearly: count,
    keepWithin: fc.option(fc.constantFrom('2d', '36h', '1m', '1y'), { nil: undefined }),
  });
  /** Points in chains that branch: each stands on any earlier ones, or on none. */
  const histories = fc
    .array(
      fc.record({
        hours: fc.integer({ min: 0, max: 2000 }),
        on: fc.array(fc.nat(30), { maxLength: 2 }),
        held: fc.boolean().map((held) => held),
        damaged: fc.boolean(),
        decided: fc.integer({ min: 0, max: 4 }).map((n) => n > 0),
      }),
      { maxLength: 30 },
    )
    .map((rows) =>
      rows.map(({ hours, on, ...rest }, index) => ({
        ...point(new Date(Date.UTC(2026, 0, 1) + hours * HOUR).toISOString(), rest),
        name: `b${index}`,
        path: `b${index}`,
        parents: index === 0 ? [] : on.map((n) => `b${n % index}`),
      })),
    );
  const zones = fc.constantFrom('UTC', 'Europe/Berlin', 'America/St_Johns', 'Pacific/Apia');
  const check = (holds: (all: readonly Point[], decided: Retention, policy: RetentionPolicy) => void) =>
    fc.assert(
      fc.property(histories, policies, zones, (all, policy, zone) =>
        holds(all, applyPolicy(all, policy, zone), policy),
      ),
      { numRuns: 500 },
    );

  test('what is kept and what goes are together all that there is, and nothing is both', () => {
    check((all, { keep, remove }) => {
      expect([...keep.map((each) => each.point), ...remove].toSorted(byName)).toEqual(all.toSorted(byName));
    });
  });
  test('no kept point ever loses an ancestor', () => {
    check((all, { keep, remove }) => {
      const gone = new Set(remove.map(({ path }) => path));
      for (const each of keep) for (const parent of each.point.parents) expect(gone).not.toContain(parent);
    });
  });
  test('each kept point has a reason; one that only carries others has a kept child', () => {
    check((_, { keep }) => {
      for (const { point: carrier, reasons } of keep) {
        expect(reasons).not.toEqual([]);
        if (reasons[0]?.rule !== 'CarriesOthers') continue;
        expect(keep.some(({ point: child }) => child.parents.includes(carrier.path))).toBe(true);
      }
    });
  });
  test('the newest good point, what is held, and what is of others stay', () => {
    check((all, { keep, remove }) => {
      // Of two that were taken at the same instant either is the newest.
      const newest = Math.max(...all.filter(({ damaged }) => !damaged).map(({ takenAt }) => takenAt));
      const isNewestGood = ({ point: { damaged, takenAt } }: (typeof keep)[number]) =>
        !damaged && takenAt === newest;
      if (Number.isFinite(newest)) expect(keep.some(isNewestGood)).toBe(true);
      for (const gone of remove) expect(gone.held || !gone.decided).toBe(false);
      if (all.length > 0) expect(remove.length).toBeLessThan(all.length);
    });
  });
  test('no rule keeps more good points than its number', () => {
    check((_, { keep }, policy) => {
      for (const rule of ['KeepLast', 'KeepHourly', 'KeepDaily', 'KeepWeekly', 'KeepYearly'] as const) {
        const by = keep.filter(
          (each) => !each.point.damaged && each.reasons.some((reason) => reason.rule === rule),
        );
        const name = `k${rule.slice(1)}` as 'keepLast' | 'keepHourly' | 'keepDaily';
        expect(by.length).toBeLessThanOrEqual(policy[name] ?? 0);
      }
    });
  });
  test('applied again to what it kept, it removes nothing more', () => {
    fc.assert(
      fc.property(histories, policies, zones, (all, policy, zone) => {
        const once = applyPolicy(all, policy, zone).keep.map((each) => each.point);
        expect(applyPolicy(once, policy, zone).remove).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});

function byName(a: Point, b: Point): number {
  return a.name < b.name ? -1 : 1;
}
