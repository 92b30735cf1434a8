import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { BackupId, type Manifest } from '../../domain/manifest.ts';
import { systemError } from '../errno.ts';
import { targetError } from '../target-error.ts';
import { compare } from './cursor.ts';
import { Fault, lookFault } from './faults.ts';
import { MANIFEST_FILE, readManifest } from './manifest-file.ts';

/** A backup found in a repository: its manifest, or what is wrong with it. */
export interface Found {
  /** Relative to where the search began. */
  readonly path: string;
  readonly manifest: Manifest | Fault;
}

/** `<root>/<cluster>/<namespace>/<vm>/<backup>`: nothing lies deeper. */
const MAX_DEPTH = 4;

/**
 * Finds all backups below a directory, in the order of their paths, part by part. What bears a name that no backup has is passed over:
 * hidden directories, `lost+found`, a NAS's `#recycle`. What may not be looked into is told in the place of what it holds.
 * @param from begin here, with this very path, which need not be there any more; what comes before costs nothing
 */
export async function* findBackups(root: string, from?: string): AsyncGenerator<Found, void, void> {
  yield* below(root, root, 0, from === undefined ? [] : from.split('/'));
}

async function* below(
  root: string,
  directory: string,
  depth: number,
  [first, ...rest]: readonly string[],
): AsyncGenerator<Found, void, void> {
  const entries = await entriesOf(directory, depth);
  if (entries instanceof Fault) {
    yield { path: relative(root, directory), manifest: entries };
    return;
  }
  const isBackup = entries.some(({ name }) => name === MANIFEST_FILE);
  if (isBackup || depth === MAX_DEPTH) {
    yield { path: relative(root, directory) || '.', manifest: await manifestOrFault(directory) };
    return;
  }
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => BackupId.safeParse(name).success)
    .filter((name) => first === undefined || compare(name, first) >= 0);
  for (const name of names.sort()) {
    yield* below(root, join(directory, name), depth + 1, name === first ? rest : []);
  }
}

/** Of a directory that went away since its name was read there are none. */
async function entriesOf(directory: string, depth: number): Promise<readonly Dirent[] | Fault> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (cause) {
    const { code } = systemError(cause);
    if (depth > 0 && code === 'ENOENT') return [];
    const fault = depth > 0 && code === 'EACCES' ? lookFault(null, directory, cause) : undefined;
    if (fault instanceof Fault) return fault;
    throw targetError('list', directory, cause);
  }
}

async function manifestOrFault(directory: string): Promise<Manifest | Fault> {
  try {
    return await readManifest(directory);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}
