import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Manifest, ParentLink, VolumeRecord } from '../../domain/manifest.ts';
import { decodeHeader } from '../qcow2/header.ts';
import { CLUSTER_BITS } from '../qcow2/layout.ts';
import { Fault, lookFault } from './faults.ts';
import { readManifest } from './manifest-file.ts';
import { openPlain } from './plain-file.ts';
import { sumsFileBytes } from './sums.ts';

/** One volume in one backup: a link of its chain. */
export interface Link {
  readonly directory: string;
  readonly manifest: Manifest;
  readonly record: VolumeRecord;
}

/** A volume's chain: the backup it was asked of, then what that stands on, down to the full. */
export interface Chain {
  readonly tip: Link;
  readonly parents: readonly Link[];
}

/** The backing file an incremental's image names: a sibling directory's image of the same volume. */
export function backingPath(parentId: string, imageFile: string): string {
  return `../${parentId}/${imageFile}`;
}

/** The record of a volume. @throws Fault `Missing` if the backup has none of that name */
export function volumeRecord(directory: string, manifest: Manifest, volume: string): VolumeRecord {
  const record = manifest.volumes.find(({ name }) => name === volume);
  if (record) return record;
  const names = manifest.volumes.map(({ name }) => name).join(', ');
  throw new Fault('Missing', volume, directory, `holds no volume ${volume}, only ${names}`);
}

/**
 * Walks a volume's chain from a backup down to its full, and checks at each link all that costs no reading of data: the
 * manifest, the sizes, the image's header, and that the parent is the very backup it was.
 * @throws Fault at the first thing that is missing or wrong
 */
export async function walkChain(directory: string, volume: string): Promise<Chain> {
  const tip = await readLink(directory, volume);
  const parents: Link[] = [];
  const seen = new Set([directory]);
  for (let { record } = tip; record.parent !== null; ) {
    const at = join(dirname(directory), record.parent.id);
    if (seen.has(at)) throw new Fault('Damaged', volume, at, 'is its own ancestor');
    seen.add(at);
    const link = await readLink(at, volume);
    checkIsParent(link, record.parent);
    parents.push(link);
    record = link.record;
  }
  return { tip, parents };
}

/** One link: manifest, and the files of the volume by size and header. */
export async function readLink(directory: string, volume: string): Promise<Link> {
  const manifest = await readManifest(directory);
  const record = volumeRecord(directory, manifest, volume);
  await checkFiles(directory, record);
  return { directory, manifest, record };
}

/** @throws Fault `Damaged` if the link is not the one its child recorded */
export function checkIsParent({ directory, manifest, record }: Link, expected: ParentLink): void {
  const same =
    manifest.backup.uid === expected.uid &&
    record.sums.sha256 === expected.sumsSha256 &&
    record.virtualSizeBytes === expected.virtualSizeBytes;
  if (!same)
    throw new Fault('Damaged', record.name, directory, 'is not the backup that its child was made from');
}

/** Sizes of image and sums, and the image's header against the record. */
export async function checkFiles(directory: string, record: VolumeRecord): Promise<void> {
  const { image, sums, parent } = record;
  await checkSize(join(directory, sums.file), record.name, sumsFileBytes(image.bytes));
  const path = join(directory, image.file);
  await checkSize(path, record.name, image.bytes);
  const damaged = (why: string) => new Fault('Damaged', record.name, path, why);
  const header = decodeHeader(await readFirst(path, record.name));
  if (typeof header === 'string') throw damaged(header);
  if (header.virtualSizeBytes !== record.virtualSizeBytes || header.clusterBits !== CLUSTER_BITS) {
    throw damaged(
      `its header tells a disk of ${header.virtualSizeBytes} bytes, the manifest ${record.virtualSizeBytes}`,
    );
  }
  // Only ever a sibling: a header that names anything else could make QEMU read any file of this machine.
  const backing = parent ? backingPath(parent.id, image.file) : null;
  if (header.backingFile !== backing)
    throw damaged(`its backing file is ${header.backingFile}, where ${backing} belongs`);
}

async function checkSize(path: string, volume: string, bytes: number): Promise<void> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw lookFault(volume, path, cause);
  });
  if (size === bytes) return;
  const lost = size < bytes ? `: bytes ${size} to ${bytes - 1} are missing` : '';
  throw new Fault('Damaged', volume, path, `has ${size} bytes, where ${bytes} were written${lost}`);
}

async function readFirst(path: string, volume: string): Promise<Buffer> {
  await using file = await openPlain(path, volume);
  try {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(4096), position: 0 });
    return buffer.subarray(0, bytesRead);
  } catch (cause) {
    throw lookFault(volume, path, cause);
  }
}
