import { calendarOf } from './calendar.ts';
import type { KeepReason, KeepRule, Point, Retention, RetentionPolicy } from './policy.ts';
import { instantBefore } from './within.ts';

/** Says for each point, newest first, why it keeps it; null if it does not. */
type Rule = (point: Point) => string | null;

/**
 * Decides which points of ONE VM in ONE repository are kept, and why. Safe before thrifty: an ancestor of a kept point stays, the newest
 * good point stays whatever the policy says, and a damaged one fills no place that a good one could have.
 * @param points in any order
 * @param timeZone IANA name: where a day begins
 */
export function applyPolicy(points: readonly Point[], policy: RetentionPolicy, timeZone: string): Retention {
  const sorted = points.toSorted((a, b) => b.takenAt - a.takenAt || (a.path < b.path ? 1 : -1));
  const reasons = new Map<Point, readonly KeepReason[]>();
  const rules = rulesOf(sorted, policy, timeZone);
  for (const point of sorted) {
    const found = point.decided
      ? rules.flatMap(([rule, keeps]) => reasonOf(rule, keeps(point)))
      : [{ rule: 'NotOfThisSchedule', detail: '' } as const];
    if (found.length > 0) reasons.set(point, found);
  }
  for (const carrier of carriersOf(sorted, [...reasons.keys()])) {
    if (!reasons.has(carrier)) reasons.set(carrier, [{ rule: 'CarriesOthers', detail: '' }]);
  }
  return {
    keep: sorted.flatMap((point) => {
      const why = reasons.get(point);
      return why === undefined ? [] : [{ point, reasons: why }];
    }),
    remove: sorted.filter((point) => !reasons.has(point)),
  };
}

function reasonOf(rule: KeepRule, detail: string | null): readonly KeepReason[] {
  return detail === null ? [] : [{ rule, detail }];
}

function rulesOf(
  sorted: readonly Point[],
  policy: RetentionPolicy,
  timeZone: string,
): readonly (readonly [KeepRule, Rule])[] {
  const calendar = calendarOf(timeZone);
  // Where none is good, the newest is the best there is.
  const newest = sorted.find(({ damaged }) => !damaged) ?? sorted[0];
  const tags = new Set(policy.keepTags);
  return [
    ['Hold', ({ held }) => (held ? '' : null)],
    ['NewestGood', (point) => (point === newest ? '' : null)],
    [
      'KeepLast',
      newestOfEach(
        policy.keepLast,
        (_, { path }) => path,
        () => '',
      ),
    ],
    ['KeepHourly', newestOfEach(policy.keepHourly, calendar.hour)],
    ['KeepDaily', newestOfEach(policy.keepDaily, calendar.day)],
    ['KeepWeekly', newestOfEach(policy.keepWeekly, calendar.week)],
    ['KeepMonthly', newestOfEach(policy.keepMonthly, calendar.month)],
    ['KeepYearly', newestOfEach(policy.keepYearly, calendar.year)],
    ['KeepWithin', within(policy.keepWithin, newest)],
    ['KeepTags', (point) => point.tags.filter((tag) => tags.has(tag)).join(',') || null],
  ];
}

/** Keeps the newest good point of each of the last `count` hours, days, … that have one. */
function newestOfEach(
  count: number | undefined,
  bucketOf: (instant: number, point: Point) => string,
  tell: (bucket: string) => string = (bucket) => bucket,
): Rule {
  let left = count ?? 0;
  let last: string | undefined;
  return (point) => {
    const bucket = bucketOf(point.takenAt, point);
    if (left === 0 || bucket === last) return null;
    if (!point.damaged) {
      left -= 1;
      last = bucket;
    }
    return tell(bucket);
  };
}

function within(duration: string | undefined, newest: Point | undefined): Rule {
  if (duration === undefined || newest === undefined) return () => null;
  const since = instantBefore(newest.takenAt, duration);
  // A duration that nobody understands keeps everything.
  return ({ takenAt }) => (since === undefined || takenAt >= since ? duration : null);
}

/** All points that these stand on, down to the fulls. */
function carriersOf(points: readonly Point[], kept: readonly Point[]): ReadonlySet<Point> {
  const byPath = new Map(points.map((point) => [point.path, point]));
  const carriers = new Set<Point>();
  const waiting = [...kept];
  for (const { parents } of waiting) {
    for (const path of parents) {
      const parent = byPath.get(path);
      if (parent === undefined || carriers.has(parent)) continue;
      carriers.add(parent);
      waiting.push(parent);
    }
  }
  return carriers;
}
