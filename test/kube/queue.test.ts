import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Queue } from '../../src/kube/queue.ts';
import { FakeClock, settle } from './fake-clock.ts';

const backoff = { baseMs: 1000, maxMs: 60_000 };

function rig(concurrency: number) {
  const clock = new FakeClock();
  const runs: { readonly key: string; readonly at: number; readonly end: () => void }[] = [];
  const queue = new Queue({ concurrency, backoff, clock, random: () => 0 }, (key) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    runs.push({ key, at: clock.now(), end: resolve });
    return promise;
  });
  return { clock, queue, runs, keys: () => runs.map(({ key }) => key) };
}

describe('a queue', () => {
  test('begins when who added has finished, so that it sees all that changed at once', async () => {
    const { queue, keys } = rig(3);
    queue.add('a');
    queue.add('b');
    expect(keys()).toEqual([]);
    await settle();
    expect(keys()).toEqual(['a', 'b']);
  });

  test('works on a key once, however often it was added while it waited', async () => {
    const { queue, keys, runs } = rig(1);
    queue.add('busy');
    for (let i = 0; i < 5; i++) queue.add('a');
    await settle();
    expect(keys()).toEqual(['busy']);
    expect(queue.depth).toEqual({ ready: 1, delayed: 0, running: 1 });
    runs[0]?.end();
    await settle();
    expect(keys()).toEqual(['busy', 'a']);
  });

  test('works again on a key that was added while it ran, but not at the same time', async () => {
    const { queue, keys, runs } = rig(5);
    queue.add('a');
    queue.add('a');
    queue.add('a');
    await settle();
    expect(keys()).toEqual(['a']);
    runs[0]?.end();
    await settle();
    expect(keys()).toEqual(['a', 'a']);
    runs[1]?.end();
    await settle();
    expect(queue.depth).toEqual({ ready: 0, delayed: 0, running: 0 });
  });

  test('passes a running key over for the next one', async () => {
    const { queue, keys } = rig(2);
    queue.add('a');
    queue.add('a');
    queue.add('b');
    await settle();
    expect(keys()).toEqual(['a', 'b']);
  });

  test.each([
    { first: 5000, second: 1000, due: 1000 },
    { first: 1000, second: 5000, due: 1000 },
    { first: 1000, second: 0, due: 0 },
    { first: 3000, second: 3000, due: 3000 },
  ])('keeps the sooner of two delays: $first ms, then $second ms', async ({ first, second, due }) => {
    const { queue, clock, runs } = rig(1);
    const begunAt = clock.now();
    queue.addAfter('a', first);
    queue.addAfter('a', second);
    await clock.advance(10_000);
    expect(runs.map(({ at }) => at - begunAt)).toEqual([due]);
    expect(clock.pending).toBe(0);
  });

  test('lets an event overtake a delay, which is then over', async () => {
    const { queue, clock, runs } = rig(1);
    queue.addAfter('a', 5000);
    queue.add('a');
    await settle();
    runs[0]?.end();
    await clock.advance(10_000);
    expect(runs).toHaveLength(1);
  });

  test('doubles the backoff with each failure up to the limit, and begins anew after forget', () => {
    const { queue } = rig(1);
    const delays = Array.from({ length: 9 }, () => queue.retry('a'));
    expect(delays).toEqual([500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
    expect(queue.failures('a')).toBe(9);
    queue.forget('a');
    expect(queue.retry('a')).toBe(500);
    expect(queue.retry('b')).toBe(500);
  });

  test('waits at least as long as the server asked', () => {
    const { queue } = rig(1);
    expect(queue.retry('a', 7000)).toBe(7000);
  });

  test('stops: drops what waits, takes nothing more, and waits for what runs', async () => {
    const { queue, clock, keys, runs } = rig(1);
    queue.add('a');
    queue.add('b');
    queue.addAfter('c', 1000);
    let stopped = 0;
    const twice = [queue.stop(), queue.stop()].map((it) => it.then(() => stopped++));
    queue.add('d');
    queue.addAfter('e', 1);
    await clock.advance(10_000);
    expect(stopped).toBe(0);
    runs[0]?.end();
    await Promise.all(twice);
    expect(keys()).toEqual(['a']);
    expect(clock.pending).toBe(0);
  });
});

const command = fc.oneof(
  fc.record({ do: fc.constant('add' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
  fc.record({
    do: fc.constant('addAfter' as const),
    key: fc.constantFrom('a', 'b', 'c', 'd'),
    ms: fc.integer({ min: 0, max: 5000 }),
  }),
  fc.record({ do: fc.constant('retry' as const), key: fc.constantFrom('a', 'b', 'c', 'd') }),
  fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 3000 }) }),
  fc.record({ do: fc.constant('end' as const), nth: fc.nat(3) }),
);

describe('whatever is done to a queue', () => {
  test('no key runs twice at once, no more run than may, and no added key is lost', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 3 }),
        fc.array(command, { maxLength: 60 }),
        async (concurrency, commands) => {
          const clock = new FakeClock();
          const running = new Map<string, () => void>();
          /** Keys that were asked for since their last run began. */
          const owed = new Set<string>();
          const queue = new Queue({ concurrency, backoff, clock, random: () => 0.5 }, (key) => {
            expect(running.has(key)).toBe(false);
            owed.delete(key);
            const { promise, resolve } = Promise.withResolvers<void>();
            running.set(key, resolve);
            expect(running.size).toBeLessThanOrEqual(concurrency);
            return promise.then(() => void running.delete(key));
          });
          for (const it of commands) {
            if (it.do === 'advance') await clock.advance(it.ms);
            else if (it.do === 'end') [...running.values()][it.nth]?.();
            else {
              owed.add(it.key);
              if (it.do === 'add') queue.add(it.key);
              else if (it.do === 'addAfter') queue.addAfter(it.key, it.ms);
              else queue.retry(it.key);
            }
            await settle();
          }
          while (running.size > 0 || queue.depth.delayed > 0) {
            for (const end of running.values()) end();
            await clock.advance(60_000);
          }
          expect([...owed]).toEqual([]);
          expect(queue.depth).toEqual({ ready: 0, delayed: 0, running: 0 });
        },
      ),
      { numRuns: 150 },
    );
  });
});
