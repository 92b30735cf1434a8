import { chmod, mkdir, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { isMissing } from '../errno.ts';
import { onTarget } from '../target-error.ts';

/** For the group, too: agents and Jobs are other users, of one group. Whatever the umask. */
const DIRECTORY_MODE = 0o770;

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
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await onTarget('create', made, () => chmod(made, DIRECTORY_MODE));
    await syncDirectory(dirname(made));
  }
}

/** Makes one directory. @throws what mkdir throws */
export async function makeDirectory(path: string): Promise<void> {
  await mkdir(path);
  await chmod(path, DIRECTORY_MODE);
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
