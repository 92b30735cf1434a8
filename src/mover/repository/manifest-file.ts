import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Manifest } from '../../domain/manifest.ts';
import { writeDurably } from './durable.ts';
import { Fault } from './faults.ts';
import { readPlain } from './plain-file.ts';

export const MANIFEST_FILE = 'manifest.json';
/** In the form of `sha256sum`, so that `sha256sum -c manifest.sha256` proves the manifest with no Tidemark. */
export const MANIFEST_SUM_FILE = 'manifest.sha256';
/** A manifest with a thousand disks and their definitions stays far below. */
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

export function sha256(content: string | Buffer): string {
  return createHash('sha256').update(content).digest('hex');
}

export async function writeManifest(directory: string, manifest: Manifest): Promise<void> {
  const content = `${JSON.stringify(manifest, null, 2)}\n`;
  await writeDurably(join(directory, MANIFEST_FILE), content);
  await writeDurably(join(directory, MANIFEST_SUM_FILE), `${sha256(content)}  ${MANIFEST_FILE}\n`);
}

/**
 * Reads a backup's manifest and proves it against its sum.
 * @throws Fault if there is none, or not a good one
 */
export async function readManifest(directory: string): Promise<Manifest> {
  const path = join(directory, MANIFEST_FILE);
  const content = await readPlain(path, MAX_MANIFEST_BYTES);
  const sum = await readPlain(join(directory, MANIFEST_SUM_FILE), 4096);
  if (sum.toString('latin1') !== `${sha256(content)}  ${MANIFEST_FILE}\n`) {
    throw new Fault('Damaged', null, path, `does not match ${MANIFEST_SUM_FILE}`);
  }
  let json: unknown;
  try {
    json = JSON.parse(content.toString('utf8'));
  } catch (cause) {
    throw new Fault('Damaged', null, path, 'is not JSON', { cause });
  }
  const parsed = Manifest.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Fault('Damaged', null, path, `is not a manifest: ${issue?.path.join('.')}: ${issue?.message}`);
}
