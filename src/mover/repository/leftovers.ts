import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseIncomingName } from '../../domain/mover-job.ts';
import type { SweepOrder } from '../../domain/upkeep/sweep.ts';
import { isMissing } from '../errno.ts';
import { throwIfAborted } from '../errors.ts';
import { onTarget } from '../target-error.ts';
import { discardIncoming, removeTree } from './incoming.ts';

/** What a killed sweep left behind. */
const TOMBSTONE = /^\.deleted-/;
const DISCARDED = /\.discarded$/;

/**
 * Removes what dead attempts and killed sweeps of ONE cluster left behind, and nobody wrote to for long enough. A backup that is
 * being written has a file that grows; and those that the caller knows to be under way stay whatever their age.
 * Resolves to how many directories went.
 */
export async function removeLeftovers(
  root: string,
  { clusterId, leftovers }: Pick<SweepOrder, 'clusterId' | 'leftovers'>,
  now: number,
  signal: AbortSignal,
): Promise<number> {
  if (leftovers === undefined) return 0;
  const newest = now - leftovers.olderThanSeconds * 1000;
  const busy = new Set(leftovers.busy);
  let removed = 0;
  for (const vm of await vmDirectories(join(root, clusterId))) {
    throwIfAborted(signal);
    for (const name of await namesIn(vm)) {
      const id = parseIncomingName(name.replace(DISCARDED, ''))?.backupId;
      if (id === undefined ? !TOMBSTONE.test(name) : busy.has(id)) continue;
      const path = join(vm, name);
      if ((await lastWritten(path)) > newest) continue;
      await (id === undefined ? removeTree(path) : discardIncoming(path));
      removed += 1;
    }
  }
  return removed;
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

/** When anything in a directory was last written, in milliseconds since the epoch. */
async function lastWritten(directory: string): Promise<number> {
  return await onTarget('look at', directory, async () => {
    const paths = [directory, ...(await readdir(directory)).map((name) => join(directory, name))];
    const times = await Promise.all(paths.map(async (path) => (await stat(path)).mtimeMs));
    return Math.max(...times);
  });
}
