import { constants, type FileHandle, open } from 'node:fs/promises';
import { Fault, lookFault } from './faults.ts';

/**
 * Opens a file of a repository to read it. What someone put in its place is refused: a pipe would be waited for, a device has no end.
 * @throws Fault, or what `lookFault` makes of a server that is away
 */
export async function openPlain(path: string, volume: string | null): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch((cause: unknown) => {
    throw lookFault(volume, path, cause);
  });
  try {
    if ((await file.stat()).isFile()) return file;
    throw new Fault('Damaged', volume, path, 'is no file');
  } catch (cause) {
    await file.close();
    throw lookFault(volume, path, cause);
  }
}

/** Reads a small file as a whole. @throws Fault, also if it is larger than any such file */
export async function readPlain(path: string, limit: number): Promise<Buffer> {
  await using file = await openPlain(path, null);
  try {
    const { size } = await file.stat();
    if (size > limit) throw new Fault('Damaged', null, path, `has ${size} bytes, which no such file has`);
    return await file.readFile();
  } catch (cause) {
    throw lookFault(null, path, cause);
  }
}
