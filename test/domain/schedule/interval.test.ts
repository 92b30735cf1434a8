import { expect, test } from 'vitest';
import { parseSchedule } from '../../../src/domain/schedule/cron.ts';
import { longestIntervalMs } from '../../../src/domain/schedule/interval.ts';

const HOUR = 3_600_000;
/** A Tuesday. */
const now = Date.parse('2026-11-24T12:00:00Z');

test.each([
  ['0 2 * * *', 'UTC', 24],
  ['*/15 * * * *', 'UTC', 0.25],
  ['0 2 * * 1-5', 'UTC', 72],
  ['0 2 1 * *', 'UTC', 31 * 24],
  // Each year one night has 25 hours.
  ['0 12 25,26 10 *', 'Europe/Berlin', 365 * 24],
])('%s in %s leaves %s hours at most', (schedule, timeZone, hours) => {
  const parsed = parseSchedule(schedule, timeZone);
  const found = parsed.kind === 'Schedule' ? (longestIntervalMs(parsed.slots, now) ?? 0) / HOUR : -1;
  expect(Math.abs(found - hours)).toBeLessThanOrEqual(1);
});

test('a day that never comes has no interval', () => {
  const parsed = parseSchedule('0 0 31 2 *', 'UTC');
  expect(parsed.kind === 'Schedule' && longestIntervalMs(parsed.slots, now)).toBeFalsy();
});
