import { truncateSync, writeFileSync } from 'node:fs';
import { zstdCompressSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { CLUSTER_BYTES, L2_SPAN_BYTES } from '../../src/mover/qcow2/layout.ts';
import { Qcow2Writer } from '../../src/mover/qcow2/writer.ts';
import { SummedFile } from '../../src/mover/repository/summed-file.ts';
import { Workshop } from './mover-rig.ts';

const workshop = new Workshop();
afterAll(() => workshop[Symbol.asyncDispose]());

const KiB = 1024;
const MiB = 1024 ** 2;
const GiB = 1024 ** 3;

/** Writes an image with the given clusters (by number), each filled with a byte of its own; the rest is not mentioned. */
async function write(
  name: string,
  size: number,
  clusters: readonly number[],
  backingFile: string | null = null,
  zeros: readonly number[] = [],
  isPacked: (cluster: number) => boolean = () => false,
): Promise<string> {
  const path = workshop.at(name);
  await using file = SummedFile.create(path, `${path}.sums`);
  const image = new Qcow2Writer(file, { virtualSizeBytes: size, backingFile, compression: 'zstd' });
  const all = [...clusters.map((n) => [n, true] as const), ...zeros.map((n) => [n, false] as const)];
  for (const [n, isData] of all.sort((a, b) => a[0] - b[0])) {
    const cluster = Buffer.alloc(CLUSTER_BYTES);
    cluster.fill((n % 255) + 1, 0, Math.min(CLUSTER_BYTES, size - n * CLUSTER_BYTES));
    if (isData && isPacked(n)) image.writePacked(n * CLUSTER_BYTES, zstdCompressSync(cluster));
    else if (isData) image.writeData(n * CLUSTER_BYTES, cluster);
    else image.writeZeros(n * CLUSTER_BYTES, CLUSTER_BYTES);
    if (n % 64 === 0) await file.flush();
  }
  image.finish();
  await file.commit();
  return path;
}

/** The same disk as a sparse raw file, made without any of our code. */
function raw(name: string, size: number, clusters: readonly number[]): string {
  const path = workshop.at(name);
  writeFileSync(path, '');
  truncateSync(path, size);
  const writes = clusters.flatMap((n) => [
    '-c',
    `write -q -P ${(n % 255) + 1} ${n * CLUSTER_BYTES} ${Math.min(CLUSTER_BYTES, size - n * CLUSTER_BYTES)}`,
  ]);
  if (writes.length > 0) workshop.tool('qemu-io', '-f', 'raw', ...writes, path);
  return path;
}

const perL2 = L2_SPAN_BYTES / CLUSTER_BYTES;
const last = (size: number): number => Math.ceil(size / CLUSTER_BYTES) - 1;

describe('qemu-img finds our images clean and the disk in them identical', () => {
  test.each<[string, number, readonly number[]]>([
    ['one sector', 512, [0]],
    ['one sector of nothing', 512, []],
    ['a cluster less a sector', 64 * KiB - 512, [0]],
    ['one cluster', 64 * KiB, [0]],
    ['a cluster and a sector', 64 * KiB + 512, [0, 1]],
    ['an odd number of sectors', 10 * 64 * KiB + 3 * 512, [0, 5, 10]],
    ['just one L2 table', L2_SPAN_BYTES, [0, perL2 - 1]],
    ['one cluster into the second L2 table', L2_SPAN_BYTES + 64 * KiB, [perL2 - 1, perL2]],
    ['three L2 tables, the middle one empty', 3 * L2_SPAN_BYTES, [1, 3 * perL2 - 1]],
    ['a TiB with its ends', 1024 * GiB, [0, last(1024 * GiB)]],
    ['8 TiB: an L1 table of more than one cluster', 8192 * GiB, [0, 12 * perL2, last(8192 * GiB)]],
  ])('%s', async (_, size, clusters) => {
    const ours = await write('ours.qcow2', size, clusters);
    const theirs = raw('theirs.raw', size, clusters);
    try {
      // Fails by itself unless the image is clean.
      const checked: unknown = JSON.parse(workshop.tool('qemu-img', 'check', '--output=json', ours));
      expect(checked).toMatchObject(clusters.length > 0 ? { 'allocated-clusters': clusters.length } : {});
      expect(JSON.parse(workshop.tool('qemu-img', 'info', '--output=json', ours))).toMatchObject({
        'virtual-size': size,
        format: 'qcow2',
      });
      workshop.tool('qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', ours, theirs);
    } finally {
      workshop.tool('rm', '-f', ours, `${ours}.sums`, theirs);
    }
  });

  test.each<[string, (cluster: number) => boolean]>([
    ['all of them plain', () => false],
    [
      'compressed ones where one block ends and the next begins',
      (n) => n % 1000 === 0 || (n > 32_600 && n < 32_800),
    ],
  ])('more clusters than one refcount block counts, %s', async (_, isPacked) => {
    const clusters = Array.from({ length: 33_000 }, (_, i) => i);
    const ours = await write('large.qcow2', 4 * GiB, clusters, null, [], isPacked);
    expect(JSON.parse(workshop.tool('qemu-img', 'check', '--output=json', ours))).toMatchObject({
      'check-errors': 0,
      'allocated-clusters': 33_000,
    });
    workshop.tool('rm', ours, `${ours}.sums`);
  });

  test.each<[string, number, (cluster: number) => boolean]>([
    ['all compressed', 64 * MiB, () => true],
    ['every third', 64 * MiB, (n) => n % 3 === 0],
    ['the last one of an odd disk', 64 * MiB + 512, (n) => n === 1024],
    ['one in each L2 table of many, more than are kept in memory', 100 * L2_SPAN_BYTES, () => true],
  ])('%s', async (_, size, isPacked) => {
    const isVast = size > GiB;
    const clusters = isVast
      ? Array.from({ length: 100 }, (_, i) => i * perL2 + i)
      : Array.from({ length: Math.ceil(size / CLUSTER_BYTES) }, (_, i) => i).filter(
          (n) => n % 7 !== 0 || n === last(size),
        );
    const ours = await write('packed.qcow2', size, clusters, null, [], isPacked);
    const theirs = raw('packed.raw', size, clusters);
    expect(JSON.parse(workshop.tool('qemu-img', 'check', '--output=json', ours))).toMatchObject({
      'allocated-clusters': clusters.length,
      'compressed-clusters': clusters.filter(isPacked).length,
    });
    workshop.tool('qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', ours, theirs);
    workshop.tool('rm', ours, `${ours}.sums`, theirs);
  });

  test('an incremental on a smaller parent: data, zeros over old data, and what is not mentioned', async () => {
    await write('p.qcow2', 4 * 64 * KiB + 512, [0, 1, 2, 3, 4]);
    const size = 10 * 64 * KiB;
    const ours = await write('c.qcow2', size, [1, 8], 'p.qcow2', [2, 3, 9]);
    const theirs = raw('c.raw', size, [0, 1, 8]);
    workshop.tool('qemu-io', '-f', 'raw', '-c', `write -q -P 5 ${4 * 64 * KiB} 512`, theirs);
    expect(JSON.parse(workshop.tool('qemu-img', 'check', '--output=json', ours))).toMatchObject({
      'check-errors': 0,
    });
    workshop.tool('qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', ours, theirs);
  });
});

test('calls out of order are refused', async () => {
  await using file = SummedFile.create(workshop.at('x'), workshop.at('x.sums'));
  const image = new Qcow2Writer(file, { virtualSizeBytes: GiB, backingFile: null, compression: 'none' });
  image.writeData(CLUSTER_BYTES, Buffer.alloc(CLUSTER_BYTES));
  expect(() => image.writeData(0, Buffer.alloc(CLUSTER_BYTES))).toThrow(RangeError);
});
