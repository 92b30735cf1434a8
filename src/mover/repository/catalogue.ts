import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { onTarget } from '../target-error.ts';
import { compare } from './cursor.ts';
import { Fault } from './faults.ts';
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
 * Finds all backups below a directory, in the order of their paths, part by part. What begins with a dot is nobody's backup.
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
  const entries = await onTarget('list', directory, () => readdir(directory, { withFileTypes: true }));
  const isBackup = entries.some(({ name }) => name === MANIFEST_FILE);
  if (isBackup || depth === MAX_DEPTH) {
    yield { path: relative(root, directory) || '.', manifest: await manifestOrFault(directory) };
    return;
  }
  const names = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name)
    .filter((name) => first === undefined || compare(name, first) >= 0);
  for (const name of names.sort()) {
    yield* below(root, join(directory, name), depth + 1, name === first ? rest : []);
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
