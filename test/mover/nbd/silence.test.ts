import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { watchSilence } from '../../../src/mover/nbd/silence.ts';

/** A watch of 100 ms, and how often it called out. */
function watching(isOwed = () => true) {
  const silences: number[] = [];
  const watch = watchSilence(100, isOwed, () => silences.push(1));
  return { silences, [Symbol.dispose]: watch.end, ...watch };
}

test('calls out once when nothing is heard for so long', async () => {
  using watch = watching();
  await sleep(500);
  expect(watch.silences).toHaveLength(1);
});

test('is quiet while nothing is owed, and looks again', async () => {
  let isOwed = false;
  using watch = watching(() => isOwed);
  await sleep(250);
  expect(watch.silences).toHaveLength(0);
  isOwed = true;
  await sleep(500);
  expect(watch.silences).toHaveLength(1);
});

test('is quiet after its end', async () => {
  using watch = watching();
  watch.end();
  await sleep(300);
  expect(watch.silences).toHaveLength(0);
});

test('does not blame the server for our own deafness: what came meanwhile is heard first', async () => {
  using watch = watching();
  // As a socket is read after a long synchronous write: behind the timer that is overdue, before anything else.
  setTimeout(watch.heard, 100);
  const until = performance.now() + 300;
  while (performance.now() < until);
  await sleep(20);
  expect(watch.silences).toHaveLength(0);
});
