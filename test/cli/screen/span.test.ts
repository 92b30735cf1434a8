import { expect, test } from 'vitest';
import { span } from '../../../src/cli/screen/span.ts';

const HOUR = 3_600_000;

test.each([
  [-5000, '0s'],
  [0, '0s'],
  [119_999, '119s'],
  [120_000, '2m'],
  [2 * HOUR - 1, '119m'],
  [2 * HOUR, '2h'],
  [48 * HOUR - 1, '47h'],
  [48 * HOUR, '2d'],
  [400 * 24 * HOUR, '400d'],
])('%d milliseconds are %s', (milliseconds, expected) => {
  expect(span(milliseconds)).toBe(expected);
});
