import { constants, setPriority } from 'node:os';
import { UsageError } from './errors.ts';

/** Lowest by default: nobody waits for a verification. The kernel takes the priority of disk accesses from it, too. */
export function yieldToOthers(nice: string | undefined): void {
  if (nice !== undefined && !/^1?\d$/.test(nice)) {
    throw new UsageError('UsageError', `--nice must be 0 to 19, not "${nice}"`);
  }
  const priority = nice === undefined ? constants.priority.PRIORITY_LOW : Number(nice);
  if (priority > 0) setPriority(priority);
}
