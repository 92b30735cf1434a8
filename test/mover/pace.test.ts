import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { paced, pieceBytesFor } from '../../src/mover/pace.ts';

const never = new AbortController().signal;

/** A clock that only sleeping moves. */
function clock() {
  const time = { now: 0 };
  return {
    time,
    now: () => time.now,
    sleep: (milliseconds: number) => {
      time.now += milliseconds;
      return Promise.resolve();
    },
  };
}

test('a limit holds over any stretch of time', async () => {
  const fake = clock();
  const pace = paced(1000, fake);
  const started: number[] = [];
  for (let i = 0; i < 5; i++) {
    await pace(500, never);
    started.push(fake.time.now);
  }
  expect(started).toEqual([0, 500, 1000, 1500, 2000]);
});

test('idle time is not saved up', async () => {
  const fake = clock();
  const pace = paced(1000, fake);
  await pace(1000, never);
  fake.time.now = 60_000;
  await pace(1000, never);
  await pace(1000, never);
  expect(fake.time.now).toBeGreaterThan(60_900);
});

/** Times and sizes of what a clock whose every ring is late lets through in ten seconds. */
async function moves(
  bytesPerSecond: number,
  late: () => number,
): Promise<readonly [at: number, bytes: number][]> {
  const fake = clock();
  const sleep = (milliseconds: number): Promise<void> => fake.sleep(milliseconds + late());
  const pace = paced(bytesPerSecond, { ...fake, sleep });
  const bytes = pieceBytesFor(bytesPerSecond);
  const moved: [number, number][] = [];
  while (fake.time.now < 10_000) {
    await pace(bytes, never);
    moved.push([fake.time.now, bytes]);
  }
  return moved;
}

test('whatever the limit and however late the timers, no two seconds see 5 % more, and no less passes in ten', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 2_000_000, max: 100_000_000 }),
      fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 1 }),
      async (limit, lateness) => {
        let turn = 0;
        const moved = await moves(limit, () => lateness[turn++ % lateness.length]!);
        let start = 0;
        let within = 0;
        let total = 0;
        for (const [at, bytes] of moved) {
          within += bytes;
          total += bytes;
          for (; moved[start]![0] <= at - 2000; start++) within -= moved[start]![1];
          expect(within / (2 * limit)).toBeLessThanOrEqual(1.05);
        }
        expect(total / (10 * limit)).toBeGreaterThan(0.99);
      },
    ),
    { numRuns: 20 },
  );
}, 30_000);

test.each([
  [undefined, 1024],
  [1_000_000_000, 1024],
  [10_000_000, 384],
  [1, 64],
])('at a limit of %s bytes per second, pieces are of %i KiB', (limit, kibibytes) => {
  expect(pieceBytesFor(limit)).toBe(kibibytes * 1024);
});

test('without a limit nobody waits', async () => {
  const started = performance.now();
  for (let i = 0; i < 1000; i++) await paced(undefined)(1e12, never);
  expect(performance.now() - started).toBeLessThan(1000);
});

test('an abort ends the wait', async () => {
  const abort = new AbortController();
  const pace = paced(1);
  await pace(1_000_000, abort.signal);
  const waiting = pace(1, abort.signal);
  abort.abort();
  await expect(waiting).resolves.toBeUndefined();
});
