import { expect, test } from 'vitest';
import { FIRST_PORTION_BYTES, nextPortion } from '../../../src/mover/repository/sync-portion.ts';

const MIB = 1024 * 1024;

/** The sizes of twenty portions on a disk of so many bytes a second. */
function portions(bytesPerSecond: number): number[] {
  const sizes = [FIRST_PORTION_BYTES];
  for (let i = 0; i < 20; i++) {
    const last = sizes.at(-1)!;
    sizes.push(nextPortion(last, (last * 1000) / bytesPerSecond));
  }
  return sizes;
}

test('a quick disk is soon synced every 256 MiB, and no later', () => {
  expect(portions(1000 * MIB).slice(4)).toEqual(Array.from({ length: 17 }, () => 256 * MIB));
});

test.each([2, 10, 50])('at %d MiB/s no sync but the first takes more than two seconds', (rate) => {
  for (const size of portions(rate * MIB).slice(1)) expect(size / (rate * MIB)).toBeLessThanOrEqual(2.001);
});

test('however slow the disk, a portion is worth a sync', () => {
  expect(Math.min(...portions(1000))).toBe(4 * MIB);
});

test('a sync that took no time at all is no division by zero', () => {
  expect(nextPortion(FIRST_PORTION_BYTES, 0)).toBe(2 * FIRST_PORTION_BYTES);
});
