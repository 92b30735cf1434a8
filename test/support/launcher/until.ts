import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until something is so. Throws after `withinMs`, naming what did not come. */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  withinMs = 60_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`);
    await sleep(20);
  }
}
