import { lstat, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isMissing } from '../errno.ts';
import { onTarget, TargetError } from '../target-error.ts';
import { exists, syncDirectory } from './durable.ts';
import { discardAttempts, removeTree } from './incoming.ts';

/** The name of a backup while it is being removed: readers ignore it, and the next sweep ends what a killed one began. */
export function tombstoneOf(id: string): string {
  return `.deleted-${id}`;
}

/**
 * Removes one backup. It first loses its name, and that survives a crash before a single file goes: never is half a backup seen.
 * Resolves to whether there was anything.
 */
export async function removeBackup(directory: string): Promise<boolean> {
  const tombstone = join(dirname(directory), tombstoneOf(basename(directory)));
  const hadTombstone = await exists(tombstone);
  // What an earlier sweep had not ended, else the rename would find its name taken.
  if (hadTombstone) await removeTree(tombstone);
  const wasThere = await exists(directory);
  if (wasThere) {
    await onTarget('rename', directory, () => rename(directory, tombstone));
    await syncDirectory(dirname(directory));
    await removeTree(tombstone);
  }
  const attempts = await discardAttempts(dirname(directory), basename(directory));
  if (wasThere || hadTombstone || attempts.length > 0) await syncDirectory(dirname(directory));
  return wasThere || hadTombstone;
}

/**
 * Makes sure that every part of a path below the root is a directory of its own: a link could lead a removal anywhere.
 * Resolves to false if a part is not there. @throws TargetError `PathRefused`
 */
export async function isPlainPath(root: string, path: string): Promise<boolean> {
  let at = root;
  for (const part of path.split('/')) {
    at = join(at, part);
    const found = await onTarget('look at', at, () =>
      lstat(at).catch((error: unknown) => {
        if (isMissing(error)) return undefined;
        throw error;
      }),
    );
    if (found === undefined) return false;
    if (!found.isDirectory())
      throw new TargetError('PathRefused', `${at} is no directory, but a link or a file: nothing is removed`);
  }
  return true;
}
