import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
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
 * @param isWanted what is not wanted costs nothing either
 */
export async function* findBackups(
  root: string,
  from?: string,
  isWanted: Wanted = () => true,
): AsyncGenerator<Found, void, void> {
  yield* below({ root, isWanted }, [], from === undefined ? [] : from.split('/'));
}

/** Whether to look into a directory, given part by part from the root on. */
type Wanted = (parts: readonly string[]) => boolean;

async function* below(
  search: { readonly root: string; readonly isWanted: Wanted },
  parts: readonly string[],
  [first, ...rest]: readonly string[],
): AsyncGenerator<Found, void, void> {
  const directory = join(search.root, ...parts);
  const entries = await entriesOf(directory, parts.length);
  if (entries instanceof Fault) {
    yield { path: parts.join('/'), manifest: entries };
    return;
  }
  const isBackup = entries.some(({ name }) => name === MANIFEST_FILE);
  if (isBackup || parts.length === MAX_DEPTH) {
    yield { path: parts.join('/') || '.', manifest: await manifestOrFault(directory) };
    return;
  }
  const names = entries
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .filter((name) => BackupId.safeParse(name).success)
    .filter((name) => first === undefined || compare(name, first) >= 0)
    .filter((name) => search.isWanted([...parts, name]));
  for (const name of names.sort()) {
    yield* below(search, [...parts, name], name === first ? rest : []);
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
