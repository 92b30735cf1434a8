import { expect, test } from 'vitest';
import { parseDuration } from '../../src/mover/duration.ts';

test.each([
  ['90s', 90_000],
  ['10m', 600_000],
  ['1h30m', 5_400_000],
])('%s is %d ms', (text, milliseconds) => {
  expect(parseDuration(text, 'for')).toBe(milliseconds);
});

test.each(['', '10', 'm', '10 m', '0s', '-1m', '1d', '10m!'])('%j is no length of time', (text) => {
  expect(() => parseDuration(text, 'for')).toThrow(/--for must be a length of time/);
});
