import { isRefusal } from '../libvirt/errors.ts';
import { MoverFailed } from '../mover-process/spawn.ts';
import type { RunningVm } from './attempt.ts';
import { AttemptFailed } from './attempt-failed.ts';

/** What a mover says when its source went away. */
const SOURCE_GONE: ReadonlySet<string> = new Set(['NbdGone', 'NbdRefused']);

/**
 * What a failure comes from, when the mover saw only that its source went away: a VM that was stopped meanwhile, or that QEMU left.
 * That is no failure of the backup, which gave way.
 */
export async function whyGone(
  failure: unknown,
  find: (signal: AbortSignal) => Promise<RunningVm>,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(failure instanceof MoverFailed) || !SOURCE_GONE.has(failure.reason)) return failure;
  try {
    await find(signal);
    return failure;
  } catch (error) {
    if (error instanceof AttemptFailed) return error;
    if (!isRefusal(error, 'ConnectFailed')) return failure;
    const message = 'The VM was stopped while it was copied: its launcher pod is gone.';
    return new AttemptFailed('VMNotRunning', message, { cause: error });
  }
}
