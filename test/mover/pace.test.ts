import { expect, test } from 'vitest';
import { paced } from '../../src/mover/pace.ts';

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
  expect(fake.time.now).toBe(61_000);
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
