import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { parseIncomingName } from '../../domain/mover-job.ts';
import type { SweepOrder } from '../../domain/upkeep/sweep.ts';
import { isMissing } from '../errno.ts';
import { throwIfAborted } from '../errors.ts';
import { onTarget, TargetError } from '../target-error.ts';
import { discardIncoming, removeTree } from './incoming.ts';

/** What a killed sweep left behind. */
const TOMBSTONE = /^\.deleted-/;
const DISCARDED = /\.discarded$/;

/** What became of what was left behind: how many directories went, and why others could not. */
export interface Leftovers {
  readonly removed: number;
  readonly stuck: readonly string[];
}

/**
 * Removes what dead attempts and killed sweeps of ONE cluster left behind, and nobody wrote to for long enough. A backup that is
 * being written has a file that grows; and those that the caller knows to be under way stay whatever their age.
 * One that cannot be removed keeps no other from going.
 */
export async function removeLeftovers(
  root: string,
  { clusterId, leftovers }: Pick<SweepOrder, 'clusterId' | 'leftovers'>,
  now: number,
  signal: AbortSignal,
): Promise<Leftovers> {
  const stuck: string[] = [];
  if (leftovers === undefined) return { removed: 0, stuck };
  const newest = now - leftovers.olderThanSeconds * 1000;
  const busy = new Set(leftovers.busy);
  let removed = 0;
  for (const vm of await vmDirectories(join(root, clusterId))) {
    throwIfAborted(signal);
    for (const name of await namesIn(vm)) {
      const id = parseIncomingName(name.replace(DISCARDED, ''))?.backupId;
      if (id === undefined ? !TOMBSTONE.test(name) : busy.has(id)) continue;
      const path = join(vm, name);
      try {
        const written = await lastWritten(path);
        if (written === null || written > newest) continue;
        await (id === undefined ? removeTree(path) : discardIncoming(path));
        removed += 1;
      } catch (error) {
        if (!(error instanceof TargetError)) throw error;
        stuck.push(error.message);
      }
    }
  }
  return { removed, stuck };
}

/** `<cluster>/<namespace>/<vm>`. */
async function vmDirectories(cluster: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const namespace of await directoriesIn(cluster))
    for (const vm of await directoriesIn(join(cluster, namespace))) found.push(join(cluster, namespace, vm));
  return found;
}

async function directoriesIn(path: string): Promise<readonly string[]> {
  const entries = await onTarget('list', path, () =>
    readdir(path, { withFileTypes: true }).catch(noneIfMissing),
  );
  return entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
}

async function namesIn(path: string): Promise<readonly string[]> {
  return await onTarget('list', path, () => readdir(path).catch(noneIfMissing));
}

function noneIfMissing(error: unknown): [] {
  if (isMissing(error)) return [];
  throw error;
}

/** When anything in a directory was last written, in milliseconds since the epoch; null if it is none, or gone: its owner ends it, too. */
async function lastWritten(directory: string): Promise<number | null> {
  return await onTarget('look at', directory, async () => {
    try {
      if (!(await lstat(directory)).isDirectory()) return null;
      const paths = [directory, ...(await readdir(directory)).map((name) => join(directory, name))];
      const times = await Promise.all(paths.map(async (path) => (await lstat(path)).mtimeMs));
      return Math.max(...times);
    } catch (error) {
      if (isMissing(error)) return null;
      throw error;
    }
  });
}
