import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Manifest } from '../../domain/manifest.ts';
import { isMissing } from '../errno.ts';
import { decodeHeader } from '../qcow2/header.ts';
import { onTarget } from '../target-error.ts';
import { Fault } from './faults.ts';
import { readManifest } from './manifest-file.ts';
import { openPlain } from './plain-file.ts';

/** A backup among the others of its VM, by what it stands on. */
export interface Member {
  readonly id: string;
  /** Null if its manifest is missing or damaged. */
  readonly manifest: Manifest | null;
  /** Ids of the directories that its images stand on; null if that cannot be found out. */
  readonly parents: readonly string[] | null;
}

/** All backups in the directory of a VM, by id. What has neither a manifest nor an image is no backup, and nobody's parent. */
export async function readFamily(vmDirectory: string): Promise<ReadonlyMap<string, Member>> {
  const entries = await onTarget('list', vmDirectory, () =>
    readdir(vmDirectory, { withFileTypes: true }).catch((error: unknown) => {
      if (isMissing(error)) return [];
      throw error;
    }),
  );
  const members = new Map<string, Member>();
  for (const entry of entries) {
    if (!entry.isDirectory() || entry.name.startsWith('.')) continue;
    members.set(entry.name, await readMember(join(vmDirectory, entry.name)));
  }
  return members;
}

/** The ids of all that stand on one of these, directly or through others; those whose parents nobody knows among them. */
export function descendantsIn(
  family: ReadonlyMap<string, Member>,
  ids: Iterable<string>,
): ReadonlySet<string> {
  const beneath = new Set(ids);
  const found = new Set<string>();
  for (let before = -1; before !== found.size; ) {
    before = found.size;
    for (const { id, parents } of family.values()) {
      if (beneath.has(id) && parents === null) continue;
      const stands = parents === null || parents.some((parent) => beneath.has(parent) || found.has(parent));
      if (stands) found.add(id);
    }
  }
  return found;
}

/** The ids of all that a backup stands on, down to the fulls. */
export function ancestorsIn(family: ReadonlyMap<string, Member>, id: string): ReadonlySet<string> {
  const found = new Set<string>();
  const waiting = [id];
  for (const each of waiting) {
    for (const parent of family.get(each)?.parents ?? []) {
      if (found.has(parent)) continue;
      found.add(parent);
      waiting.push(parent);
    }
  }
  return found;
}

async function readMember(directory: string): Promise<Member> {
  const id = basename(directory);
  try {
    const manifest = await readManifest(directory);
    const parents = [manifest.parent?.id, ...manifest.volumes.map(({ parent }) => parent?.id)];
    return { id, manifest, parents: [...new Set(parents.filter((parent) => parent !== undefined))] };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { id, manifest: null, parents: await parentsByHeaders(directory) };
  }
}

/** What the images themselves name, where no manifest tells. */
async function parentsByHeaders(directory: string): Promise<readonly string[] | null> {
  const names = await onTarget('list', directory, () => readdir(directory));
  const parents: string[] = [];
  for (const name of names.filter((each) => each.endsWith('.qcow2'))) {
    const backing = await backingOf(join(directory, name));
    if (backing === undefined) return null;
    const parent = /^\.\.\/([^/]+)\/[^/]+$/.exec(backing ?? '')?.[1];
    if (parent !== undefined) parents.push(parent);
  }
  return parents;
}

/** Undefined if the header cannot be read. */
async function backingOf(path: string): Promise<string | null | undefined> {
  try {
    await using file = await openPlain(path, null);
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4096), position: 0 });
    const header = decodeHeader(buffer.subarray(0, bytesRead));
    return typeof header === 'string' ? undefined : header.backingFile;
  } catch {
    return undefined;
  }
}
