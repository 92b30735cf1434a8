import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One file or directory of an archive. */
export interface CpioEntry {
  /** Without a leading slash. */
  readonly path: string;
  /** As stat(2) has it. */
  readonly mode: number;
  readonly data: Buffer;
}

const DIRECTORY = 0o040000;
const NOTHING = Buffer.alloc(0);

/** All under a directory, parents first. Directories and regular files only. */
export async function entriesBelow(root: string): Promise<readonly CpioEntry[]> {
  const paths = (await readdir(root, { recursive: true })).sort();
  return Promise.all(
    paths.map(async (path) => {
      const { mode } = await lstat(join(root, path));
      const isDirectory = (mode & 0o170000) === DIRECTORY;
      return { path, mode, data: isDirectory ? NOTHING : await readFile(join(root, path)) };
    }),
  );
}

/** A cpio archive in the form "newc", which the kernel unpacks as its initial RAM disk. */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const all = [...entries, { path: 'TRAILER!!!', mode: 0, data: NOTHING }];
  return Buffer.concat(all.flatMap((entry, index) => member(entry, index + 1)));
}

function member({ path, mode, data }: CpioEntry, inode: number): readonly Buffer[] {
  const name = Buffer.from(`${path}\0`);
  // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
  const numbers = [inode, mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${numbers.map((number) => number.toString(16).padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(data)];
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}
