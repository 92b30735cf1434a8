import { expect, test } from 'vitest';
import { comparePaths } from '../../../src/domain/upkeep/path-order.ts';

test('paths come in the order of a walk: part by part', () => {
  const walked = ['c/a', 'c/a/x', 'c/a/y', 'c/a-b/x', 'd'];
  expect(walked.toReversed().sort(comparePaths)).toEqual(walked);
  expect(comparePaths('c/a', 'c/a')).toBe(0);
});
