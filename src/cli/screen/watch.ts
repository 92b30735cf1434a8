import { setTimeout as sleep } from 'node:timers/promises';
import type { Terminal } from '../terminal.ts';
import { LiveLine } from './live-line.ts';
import type { Painter, Styled } from './style.ts';

const LOOK_AGAIN_MS = 1000;

/** Something that comes on by itself, and that one can look at again and again. */
export interface Watched<T> {
  readonly first: T;
  readonly again: () => Promise<T>;
  /** Where it stands, in a line. */
  readonly line: (seen: T) => Styled;
  readonly isOver: (seen: T) => boolean;
  /** What to tell someone who does not want to wait any longer. */
  readonly goesOn: string;
  /** How long anybody waits, in milliseconds; without end if left out. */
  readonly timeoutMs?: number | undefined;
}

/**
 * Shows how something comes on until it is over, and returns it as it is then. Stopping to wait stops nothing but that.
 * @throws Error that says so, on a signal or after the timeout
 */
export async function watchUntilOver<T>(
  { first, again, line, isOver, goesOn, timeoutMs }: Watched<T>,
  { terminal, paint }: { readonly terminal: Terminal; readonly paint: Painter },
): Promise<T> {
  const live = new LiveLine(terminal.stderr);
  const deadline = timeoutMs === undefined ? undefined : AbortSignal.timeout(timeoutMs);
  const signal = AbortSignal.any([terminal.signal, ...(deadline ? [deadline] : [])]);
  try {
    for (let seen = first; ; seen = await again()) {
      live.show(paint(line(seen)));
      if (isOver(seen)) return seen;
      await sleep(LOOK_AGAIN_MS, undefined, { signal });
    }
  } catch (cause) {
    if (terminal.signal.aborted) throw new Error(`stopped waiting; ${goesOn}`, { cause });
    if (deadline?.aborted) throw new Error(`timed out waiting for the end; ${goesOn}`, { cause });
    throw cause;
  } finally {
    live.end();
  }
}
