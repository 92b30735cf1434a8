import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { inParallel } from '../../src/mover/in-parallel.ts';

const never = new AbortController().signal;

test('whatever the limit, all is done, in the order of the items, and no more at a time', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(3), { maxLength: 12 }),
      fc.integer({ min: 1, max: 5 }),
      async (turns, limit) => {
        let underWay = 0;
        const results = await inParallel([...turns.keys()], limit, never, async (item) => {
          expect(++underWay).toBeLessThanOrEqual(limit);
          for (let i = 0; i < turns[item]!; i++) await Promise.resolve();
          underWay--;
          return item;
        });
        expect(results).toEqual([...turns.keys()]);
      },
    ),
  );
});

test('the first failure aborts the others, begins none that waits, and is thrown when all have ended', async () => {
  const begun: number[] = [];
  let ended = false;
  const failing = inParallel([0, 1, 2], 2, never, async (item, signal) => {
    begun.push(item);
    if (item === 1) throw new Error('first');
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    await Promise.resolve();
    ended = true;
    throw new Error('second');
  });
  await expect(failing).rejects.toThrow('first');
  expect([begun, ended]).toEqual([[0, 1], true]);
});

test('an abort from outside reaches all of them', async () => {
  const abort = new AbortController();
  const running = inParallel([0, 1], 2, abort.signal, async (_, signal) => {
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    throw signal.reason;
  });
  abort.abort(new Error('outside'));
  await expect(running).rejects.toThrow('outside');
});
