import { describe, expect, test } from 'vitest';
import { painterFor } from '../../../src/cli/screen/style.ts';
import { watchUntilOver } from '../../../src/cli/screen/watch.ts';
import { written } from '../builders.ts';

/** Waits for a number to be big enough; each look finds it one bigger. */
function counting(enough: number, timeoutMs?: number, stop = new AbortController()) {
  const stderr = written();
  const terminal = { stdout: written(), stderr, env: {}, now: () => 0, signal: stop.signal };
  let at = 0;
  const over = watchUntilOver(
    {
      first: at,
      again: async () => ++at,
      line: (seen) => ({ text: `${seen} of ${enough}` }),
      isOver: (seen) => seen >= enough,
      goesOn: 'it goes on: look there',
      timeoutMs,
    },
    { terminal, paint: painterFor(terminal, false) },
  );
  return { over, stderr };
}

describe('waiting for the end', () => {
  test('shows each step, and gives the last', async () => {
    const { over, stderr } = counting(1);
    await expect(over).resolves.toBe(1);
    expect(stderr.text).toBe('0 of 1\n1 of 1\n');
  });

  test('of what is over already takes no time', async () => {
    await expect(counting(0, 1).over).resolves.toBe(0);
  });

  test('ends after the timeout, and tells that it goes on', async () => {
    await expect(counting(1000, 1).over).rejects.toThrow(
      'timed out waiting for the end; it goes on: look there',
    );
  });

  test('ends when somebody stops it, and tells that it goes on', async () => {
    const stop = new AbortController();
    const { over } = counting(1000, 60_000, stop);
    stop.abort(new Error('stopped by SIGINT'));
    await expect(over).rejects.toThrow('stopped waiting; it goes on: look there');
  });
});
