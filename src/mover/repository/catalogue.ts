import { readdir } from 'node:fs/promises';
import { join, relative } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { onTarget } from '../target-error.ts';
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

/** Finds all backups below a directory, in the order of their paths. What begins with a dot is nobody's backup. */
export async function* findBackups(
  root: string,
  directory = root,
  depth = 0,
): AsyncGenerator<Found, void, void> {
  const entries = await onTarget('list', directory, () => readdir(directory, { withFileTypes: true }));
  if (entries.some(({ name }) => name === MANIFEST_FILE)) {
    yield { path: relative(root, directory) || '.', manifest: await manifestOrFault(directory) };
    return;
  }
  if (depth === MAX_DEPTH) return;
  const names = entries
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('.'))
    .map(({ name }) => name);
  for (const name of names.sort()) yield* findBackups(root, join(directory, name), depth + 1);
}

async function manifestOrFault(directory: string): Promise<Manifest | Fault> {
  try {
    return await readManifest(directory);
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}
