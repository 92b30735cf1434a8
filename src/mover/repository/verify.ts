import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { FileRecord, Manifest, VolumeRecord } from '../../domain/manifest.ts';
import type { ProgressMeter } from '../report.ts';
import { checkFiles, checkIsParent, readLink } from './chain.ts';
import { Fault, lookFault } from './faults.ts';
import { readManifest, sha256 } from './manifest-file.ts';
import { verifySums } from './verify-sums.ts';

export interface VerifyOptions {
  /** Also everything beneath: the parents of every volume, down to the full. */
  readonly wholeChain: boolean;
  readonly meter: ProgressMeter;
}

/** What a verification found. Good is: no faults. */
export interface Verification {
  readonly backups: number;
  readonly bytesRead: number;
  readonly faults: readonly Fault[];
}

/**
 * Reads a backup as a whole and proves every byte: manifest against its sum, files against the manifest, images against their
 * sums, and each parent against what its child recorded of it.
 */
export async function verifyBackup(
  directory: string,
  options: VerifyOptions,
  signal: AbortSignal,
): Promise<Verification> {
  const faults: Fault[] = [];
  const waiting = [directory];
  const seen = new Set(waiting);
  let bytesRead = 0;
  for (const at of waiting) {
    const manifest = await collect(faults, () => readManifest(at));
    if (!manifest) continue;
    for (const file of manifest.files) await collect(faults, () => verifyFile(at, file));
    for (const volume of manifest.volumes) {
      await collect(faults, () => checkFiles(at, volume));
      const sums = await collect(faults, () => verifySums(at, volume, options.meter, signal));
      bytesRead += sums?.bytesRead ?? 0;
      faults.push(...(sums?.faults ?? []));
      await collect(faults, () => verifyParentLink(at, volume));
    }
    if (options.wholeChain) {
      for (const parent of parentDirectories(at, manifest)) {
        if (!seen.has(parent)) waiting.push(parent);
        seen.add(parent);
      }
    }
  }
  return { backups: seen.size, bytesRead, faults };
}

function parentDirectories(directory: string, manifest: Manifest): string[] {
  return manifest.volumes.flatMap(({ parent }) => (parent ? [join(dirname(directory), parent.id)] : []));
}

async function verifyParentLink(directory: string, { name, parent }: VolumeRecord): Promise<void> {
  if (parent) checkIsParent(await readLink(join(dirname(directory), parent.id), name), parent);
}

async function verifyFile(directory: string, { name, bytes, sha256: expected }: FileRecord): Promise<void> {
  const path = join(directory, name);
  const content = await readFile(path).catch((cause: unknown) => {
    throw lookFault(null, path, cause);
  });
  if (content.length !== bytes || sha256(content) !== expected)
    throw new Fault('Damaged', null, path, 'is not what was written');
}

/** Runs one check; what it finds wrong is kept, and the next check runs all the same. Anything else is thrown. */
async function collect<T>(faults: Fault[], check: () => Promise<T>): Promise<T | null> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    // A parent's fault shows once for each child that stands on it: once is enough.
    if (!faults.some(({ message }) => message === error.message)) faults.push(error);
    return null;
  }
}
