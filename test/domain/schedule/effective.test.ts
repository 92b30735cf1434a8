import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseSchedule } from '../../../src/domain/schedule/cron.ts';
import { effectiveSchedule, offsetSeconds } from '../../../src/domain/schedule/effective.ts';

const random = ['@hourly-random', '@daily-random', '@weekly-random', '@monthly-random', '@yearly-random'];

describe('a random schedule', () => {
  test.each(random)('%s is the same for one UID, whenever asked', (schedule) => {
    expect(effectiveSchedule(schedule, 'uid-1')).toBe(effectiveSchedule(schedule, 'uid-1'));
  });

  test.each([
    ['@hourly-random', /^\d+ \* \* \* \*$/],
    ['@daily-random', /^\d+ \d+ \* \* \*$/],
    ['@weekly-random', /^\d+ \d+ \* \* [0-6]$/],
    ['@monthly-random', /^\d+ \d+ \d+ \* \*$/],
    ['@yearly-random', /^\d+ \d+ \d+ \d+ \*$/],
  ])('%s is cron that has slots, for every UID, and on a day that every month has', (schedule, form) => {
    fc.assert(
      fc.property(fc.uuid(), (uid) => {
        const cron = effectiveSchedule(schedule, uid);
        expect(cron).toMatch(form);
        const parsed = parseSchedule(cron, 'UTC');
        expect(parsed.kind === 'Schedule' && parsed.slots.nextAfter(0)).toBeTypeOf('number');
        expect(Number(cron.split(' ')[2]) || 1).toBeLessThanOrEqual(28);
      }),
    );
  });

  test('a thousand of them fill the day evenly', () => {
    const hours = new Map<string, number>();
    for (let n = 0; n < 1000; n++) {
      const hour = effectiveSchedule('@daily-random', `3f0c0d5e-0000-4000-8000-00000000${n}`).split(' ')[1]!;
      hours.set(hour, (hours.get(hour) ?? 0) + 1);
    }
    expect(hours.size).toBe(24);
    expect(Math.max(...hours.values())).toBeLessThan(80);
  });

  test('anything else is as it was written', () => {
    expect(effectiveSchedule('*/5 * * * *', 'uid-1')).toBe('*/5 * * * *');
  });
});

test('five hundred VMs of one schedule fill their hour evenly, each always at its own time', () => {
  const minutes = new Map<number, number>();
  for (let n = 0; n < 500; n++) {
    const offset = offsetSeconds('uid-1', `vm-${n}`, 3600);
    expect(offset).toBe(offsetSeconds('uid-1', `vm-${n}`, 3600));
    const minute = Math.floor(offset / 60);
    minutes.set(minute, (minutes.get(minute) ?? 0) + 1);
  }
  expect(Math.max(...minutes.keys())).toBeLessThan(60);
  expect(Math.max(...minutes.values())).toBeLessThan(25);
});
