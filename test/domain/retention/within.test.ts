import { expect, test } from 'vitest';
import { instantBefore } from '../../../src/domain/retention/within.ts';

test.each([
  ['30d', '2026-03-31T12:00:00Z', '2026-03-01T12:00:00Z'],
  ['1m', '2026-03-31T12:00:00Z', '2026-02-28T12:00:00Z'],
  ['1y', '2028-02-29T12:00:00Z', '2027-02-28T12:00:00Z'],
  ['1y2m1w3d4h', '2026-11-23T12:00:00Z', '2025-09-13T08:00:00Z'],
  ['0h', '2026-11-23T12:00:00Z', '2026-11-23T12:00:00Z'],
])('%s before %s is %s', (within, from, expected) => {
  expect(instantBefore(Date.parse(from), within)).toBe(Date.parse(expected));
});

test.each(['', '30', 'd30', '1d1y', '-1d', '1.5d'])('"%s" is no duration', (within) => {
  expect(instantBefore(0, within)).toBeUndefined();
});
