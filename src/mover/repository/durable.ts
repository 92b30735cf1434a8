import { mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing } from '../errno.ts';
import { onTarget } from '../target-error.ts';

/** Makes the entries of a directory survive a crash. */
export async function syncDirectory(path: string): Promise<void> {
  await onTarget('sync', path, async () => {
    await using directory = await open(path, 'r');
    await directory.sync();
  });
}

/** Writes a new file and brings it to stable storage. */
export async function writeDurably(path: string, content: string | Buffer): Promise<void> {
  await onTarget('write', path, async () => {
    await using file = await open(path, 'wx', 0o640);
    await file.writeFile(content);
    await file.sync();
  });
}

/** Makes a directory and those above it, each with its entry on stable storage. */
export async function makeDirectories(path: string): Promise<void> {
  const first = await onTarget('create', path, () => mkdir(path, { recursive: true }));
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made));
}

/** Whether anything is there. A path that cannot be looked at is an error, not an absence. */
export async function exists(path: string): Promise<boolean> {
  return await onTarget('look at', path, async () => {
    try {
      await stat(path);
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  });
}
