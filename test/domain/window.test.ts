import { describe, expect, test } from 'vitest';
import type { Window } from '../../src/crds/window.ts';
import { windowAt } from '../../src/domain/window.ts';

const night: Window = { start: '22:00', end: '06:00', timeZone: 'Europe/Berlin' };

const at = (window: Window, time: string) => windowAt(window, Date.parse(time));
const opens = (time: string) => ({ kind: 'Closed', opensAt: Date.parse(time) });

describe('a window over midnight', () => {
  test.each(['2026-11-23T21:00:00Z', '2026-11-24T02:00:00Z', '2026-11-24T04:59:59Z'])(
    'is open at %s',
    (time) => {
      expect(at(night, time)).toEqual({ kind: 'Open' });
    },
  );

  test.each(['2026-11-24T05:00:00Z', '2026-11-24T12:00:00Z', '2026-11-24T20:59:59Z'])(
    'is closed at %s, and says when it opens',
    (time) => {
      expect(at(night, time)).toEqual(opens('2026-11-24T21:00:00Z'));
    },
  );

  test('keeps the local time when the clocks change', () => {
    // 06:00 in summer is 04:00 UTC, in winter 05:00.
    expect(at(night, '2026-10-25T04:30:00Z')).toEqual({ kind: 'Open' });
    expect(at(night, '2026-10-24T04:30:00Z')).toMatchObject({ kind: 'Closed' });
  });

  test('on some days belongs to the day on which it opens', () => {
    const friday: Window = { ...night, days: ['Fri'] };
    expect(at(friday, '2026-11-28T04:00:00Z')).toEqual({ kind: 'Open' }); // Saturday, 05:00
    expect(at(friday, '2026-11-28T22:00:00Z')).toEqual(opens('2026-12-04T21:00:00Z'));
  });
});

test('a window within a day', () => {
  const noon: Window = { start: '12:00', end: '13:30', timeZone: 'UTC' };
  expect(at(noon, '2026-11-24T13:29:00Z')).toEqual({ kind: 'Open' });
  expect(at(noon, '2026-11-24T13:30:00Z')).toEqual(opens('2026-11-25T12:00:00Z'));
});

test('02:30 on the day without it opens at 03:00', () => {
  const early: Window = { start: '02:30', end: '04:00', timeZone: 'Europe/Berlin' };
  expect(at(early, '2026-03-29T00:45:00Z')).toEqual(opens('2026-03-29T01:00:00Z'));
});

test('a time zone that is not known is said', () => {
  expect(at({ ...night, timeZone: 'Mars/Base' }, '2026-11-24T00:00:00Z')).toMatchObject({
    kind: 'Invalid',
    message: expect.stringContaining("'Mars/Base'"),
  });
});
