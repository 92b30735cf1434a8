import { expect, test } from 'vitest';
import { progressOf } from '../../../src/node-agent/job/progress.ts';

const MiB = 1024 * 1024;
const event = (volume: string, done: number, total: number) => ({
  event: 'progress' as const,
  phase: 'copying' as const,
  volume,
  bytesDone: done * MiB,
  bytesTotal: total * MiB,
  bytesRead: done * MiB,
  bytesStored: 0,
});

test.each([
  ['nothing is known yet', [], 2, 0],
  ['one disk of two, half done, is a quarter', [event('a', 50, 100)], 2, 25],
  ['both disks', [event('a', 100, 100), event('b', 50, 100)], 2, 75],
  ['all copied is 99 until it is committed', [event('a', 100, 100)], 1, 99],
])('progress: %s', (_, events, volumes, percent) => {
  expect(progressOf(events, volumes, 1000).percent).toBe(percent);
});

test('progress: the rate is in bytes per second', () => {
  expect(progressOf([event('a', 50, 100)], 1, 2000).bytesPerSecond).toBe(25 * MiB);
});
