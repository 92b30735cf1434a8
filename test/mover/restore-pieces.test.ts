import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CLUSTER_BYTES } from '../../src/mover/qcow2/layout.ts';
import { mapChain, type Stretch } from '../../src/mover/qcow2/stretches.ts';
import { ImageTables } from '../../src/mover/qcow2/tables.ts';
import { type BatchOptions, cutBatches } from '../../src/mover/restore-batches.ts';
import { PieceMover } from '../../src/mover/restore-pieces.ts';
import { MemorySource, SourceDamaged } from './support/memory-source.ts';
import { type Clusters, packedImage } from './support/packed-image.ts';

/** Noise at the front, so that clusters compress to anything from a few bytes to all of a block. */
function someContent(seed: number, noiseBytes: number): Buffer {
  const content = Buffer.alloc(CLUSTER_BYTES, seed + 1);
  for (let at = 0, word = seed + 1; at + 4 <= noiseBytes; at += 4) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) >>> 0;
    content.writeUInt32LE(word, at);
  }
  return content;
}

const cluster = fc.record({ noise: fc.constantFrom(0, 100, 9000, 40_000, 65_536), packed: fc.boolean() });
const layer = fc.array(fc.tuple(fc.nat(39), cluster), { minLength: 1, maxLength: 30 });
const size = fc.integer({ min: 1, max: 40 * 128 }).map((sectors) => sectors * 512);

function restore(sources: readonly MemorySource[], size: number, cutting: BatchOptions): Buffer {
  const disk = Buffer.alloc(size);
  const mover = new PieceMover(sources, (bytes, offset) => {
    expect(offset + bytes.length).toBeLessThanOrEqual(size);
    bytes.copy(disk, offset);
  });
  for (const window of mapChain(sources.map((source) => new ImageTables(source)))) {
    for (const batch of cutBatches(window, cutting)) {
      const moved = [...mover.move(batch.stretches)].reduce((sum, n) => sum + n, 0);
      expect(moved).toBe(batch.bytes);
    }
  }
  return disk;
}

test('compressed and plain clusters of a chain restore to what they were; each block of each image is read at most once', () => {
  fc.assert(
    fc.property(
      fc.array(layer, { minLength: 1, maxLength: 4 }),
      size,
      fc.integer({ min: 1, max: 5 }),
      (layers, size, batchClusters) => {
        const clusters: Clusters[] = layers.map(
          (changes, n) =>
            new Map(
              changes
                .filter(([at]) => at * CLUSTER_BYTES < size)
                .map(([at, { noise, packed }]) => [
                  at,
                  { content: someContent(at * 7 + n * 1000, noise), packed },
                ]),
            ),
        );
        const sources = clusters.map((some) => new MemorySource(packedImage(size, some)));
        const expected = Buffer.alloc(Math.ceil(size / CLUSTER_BYTES) * CLUSTER_BYTES);
        for (const some of clusters.toReversed()) {
          for (const [at, { content }] of some) content.copy(expected, at * CLUSTER_BYTES);
        }
        const cutting = { batchBytes: batchClusters * CLUSTER_BYTES, mayPartPacked: true };
        expect(restore(sources, size, cutting).equals(expected.subarray(0, size))).toBe(true);
        for (const { reads } of sources) expect(Math.max(...reads)).toBeLessThanOrEqual(1);
      },
    ),
    { numRuns: 100 },
  );
}, 60_000);

test('a compressed cluster that is none is a damaged image', () => {
  const content = someContent(1, 500);
  const source = new MemorySource(packedImage(CLUSTER_BYTES, new Map([[0, { content, packed: true }]])));
  source.content.fill(0, 3 * CLUSTER_BYTES, 3 * CLUSTER_BYTES + 20);
  expect(() => restore([source], CLUSTER_BYTES, { batchBytes: CLUSTER_BYTES, mayPartPacked: true })).toThrow(
    SourceDamaged,
  );
});

describe('batches', () => {
  const C = CLUSTER_BYTES;
  const plain: Stretch = { kind: 'plain', offset: 0, length: 10 * C, image: 1, host: 5 * C };
  const packed: Stretch = {
    kind: 'packed',
    offset: 10 * C,
    length: C,
    image: 0,
    host: 7 * C + 100,
    storedBytes: 412,
  };
  const cut = (
    stretches: readonly Stretch[],
    batchBytes: number,
    mayPartPacked: boolean,
  ): [number, number][][] =>
    [...cutBatches(stretches, { batchBytes, mayPartPacked })].map(({ stretches }) =>
      stretches.map(({ offset, length }) => [offset / C, length / C]),
    );

  test('plain data is cut anywhere', () => {
    expect(cut([plain], 4 * C, false)).toEqual([[[0, 4]], [[4, 4]], [[8, 2]]]);
    expect(
      [...cutBatches([plain], { batchBytes: 4 * C, mayPartPacked: false })][1]?.stretches[0],
    ).toMatchObject({ host: 9 * C });
  });

  test('a window with compressed clusters stays whole among many threads, because they share blocks', () => {
    const second = { ...packed, offset: 11 * C };
    expect(cut([plain, packed, second], 4 * C, false)).toEqual([
      [
        [0, 10],
        [10, 1],
        [11, 1],
      ],
    ]);
    expect(cut([plain, packed, second], 4 * C, true)).toEqual([
      [[0, 4]],
      [[4, 4]],
      [
        [8, 2],
        [10, 1],
        [11, 1],
      ],
    ]);
  });

  test('a stretch of half a cluster, as where a disk has grown, does not shift the cuts', () => {
    const half: Stretch = { ...plain, length: 512 };
    const rest: Stretch = { kind: 'zeros', offset: 512, length: C - 512 };
    const next: Stretch = { ...plain, offset: C, length: 3 * C };
    for (const { stretches } of cutBatches([half, rest, next], { batchBytes: C, mayPartPacked: false })) {
      for (const stretch of stretches) if (stretch.kind === 'plain') expect(stretch.host % C).toBe(0);
    }
  });
});
