import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../launcher/index.ts';
import type { Installation } from './installation.ts';
import type { Point } from './points.ts';

/** Restores every disk of a point, and says whether each is byte for byte what it held then. */
export async function restoresExactly(
  tidemark: Installation,
  point: Point,
): Promise<ReadonlyMap<string, boolean>> {
  const from = join(tidemark.repository, point.backup.status?.plan?.path ?? '');
  const same = new Map<string, boolean>();
  for (const [volume, held] of point.held) {
    const to = join(tidemark.directory, `restored-${point.backup.metadata.name}-${volume}.raw`);
    await run([...tidemark.mover, 'restore', '--from', from, '--volume', volume, '--to', to]);
    same.set(volume, await identical(held.file, to));
    await rm(to);
  }
  return same;
}

/** Reads every disk of a point with nothing but qemu-img, and says whether each is byte for byte what it held then. */
export async function qemuReadsExactly(
  tidemark: Installation,
  point: Point,
): Promise<ReadonlyMap<string, boolean>> {
  const same = new Map<string, boolean>();
  for (const [volume, held] of point.held) {
    const to = join(tidemark.directory, `converted-${point.backup.metadata.name}-${volume}.raw`);
    await run(['qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', imageOf(tidemark, point, volume), to]);
    same.set(volume, await identical(held.file, to));
    await rm(to);
  }
  return same;
}

/** How many clusters of a point's image are compressed, as qemu-img counts them. */
export async function compressedClusters(
  tidemark: Installation,
  point: Point,
  volume: string,
): Promise<number> {
  const { stdout } = await run(['qemu-img', 'check', '--output=json', imageOf(tidemark, point, volume)]);
  const { 'compressed-clusters': count = 0 } = JSON.parse(stdout) as { 'compressed-clusters'?: number };
  return count;
}

function imageOf(tidemark: Installation, { backup }: Point, volume: string): string {
  return join(tidemark.repository, backup.status?.plan?.path ?? '', `${volume}.qcow2`);
}

/** Proves every byte of a backup and of the chain under it. */
export async function verifyChain(tidemark: Installation, point: Point): Promise<void> {
  await run([
    ...tidemark.mover,
    'verify',
    join(tidemark.repository, point.backup.status?.plan?.path ?? ''),
    '--chain',
  ]);
}

/** Byte for byte and of one length; how sparse each file is does not matter. */
async function identical(one: string, other: string): Promise<boolean> {
  try {
    await run(['cmp', one, other]);
    return true;
  } catch {
    return false;
  }
}
