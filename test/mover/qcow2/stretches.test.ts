import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CLUSTER_BYTES, L2_SPAN_BYTES, TABLE_ENTRIES } from '../../../src/mover/qcow2/layout.ts';
import { mapChain, type Stretch } from '../../../src/mover/qcow2/stretches.ts';
import { ImageTables } from '../../../src/mover/qcow2/tables.ts';
import { Qcow2Writer } from '../../../src/mover/qcow2/writer.ts';
import { MemorySource } from '../support/memory-source.ts';
import { MemoryImage } from '../support/read-image.ts';
import { filledCluster } from '../support/stored-chain.ts';

type Changes = ReadonlyMap<number, number>;

function image(size: number, changes: Changes, isFull: boolean): MemorySource {
  const memory = new MemoryImage();
  const writer = new Qcow2Writer(memory, {
    virtualSizeBytes: size,
    backingFile: isFull ? null : '../p/vda.qcow2',
    compression: 'none',
  });
  for (const [cluster, fill] of [...changes].sort(([a], [b]) => a - b)) {
    const offset = cluster * CLUSTER_BYTES;
    if (fill === 0) writer.writeZeros(offset, CLUSTER_BYTES);
    else writer.writeData(offset, filledCluster(fill));
  }
  writer.finish();
  return new MemorySource(memory.bytes);
}

/** Newest first. */
function map(sources: readonly MemorySource[]): Stretch[] {
  return [...mapChain(sources.map((source) => new ImageTables(source)))].flat();
}

/** Some clusters on both sides of each end of a window, so that a chain has few and they meet. */
const someCluster = fc.constantFrom(
  ...[
    0,
    1,
    2,
    3,
    40,
    TABLE_ENTRIES - 1,
    TABLE_ENTRIES,
    TABLE_ENTRIES + 1,
    3 * TABLE_ENTRIES - 1,
    3 * TABLE_ENTRIES,
  ],
);
const layer = fc.record({
  changes: fc.array(fc.tuple(someCluster, fc.integer({ min: 0, max: 3 })), { maxLength: 8 }),
  size: fc.constantFrom(
    2 * CLUSTER_BYTES + 512,
    L2_SPAN_BYTES,
    L2_SPAN_BYTES + 512,
    3 * L2_SPAN_BYTES + CLUSTER_BYTES,
  ),
});

test('whatever a chain holds, its map is what QEMU would show: in order, without a gap, the newest first', () => {
  fc.assert(
    fc.property(fc.array(layer, { minLength: 1, maxLength: 6 }), (layers) => {
      const chain = layers.map(({ changes, size }, i) => {
        const within = changes.filter(([cluster]) => cluster * CLUSTER_BYTES < size);
        return {
          size,
          changes: new Map(within),
          source: image(size, new Map(within), i === layers.length - 1),
        };
      });
      const stretches = map(chain.map(({ source }) => source));
      let at = 0;
      for (const stretch of stretches) {
        expect(stretch.offset).toBe(at);
        for (let offset = at; offset < at + stretch.length; offset += CLUSTER_BYTES) {
          // A long stretch of zeros is looked at where it begins and where something could be.
          const cluster = Math.floor(offset / CLUSTER_BYTES);
          expect(fillAt(chain, stretch, offset)).toBe(expectedFill(chain, offset));
          if (stretch.kind === 'zeros' && !NEAR.has(cluster))
            offset = nextNear(cluster) * CLUSTER_BYTES - CLUSTER_BYTES;
        }
        at += stretch.length;
      }
      expect(at).toBe(chain[0]!.size);
    }),
    { numRuns: 150 },
  );
}, 60_000);

const NEAR = new Set([
  0,
  1,
  2,
  3,
  40,
  TABLE_ENTRIES - 1,
  TABLE_ENTRIES,
  TABLE_ENTRIES + 1,
  3 * TABLE_ENTRIES - 1,
  3 * TABLE_ENTRIES,
]);
function nextNear(cluster: number): number {
  return [...NEAR].find((near) => near > cluster) ?? Infinity;
}

interface Layer {
  readonly size: number;
  readonly changes: Changes;
  readonly source: MemorySource;
}

/** The byte a stretch gives at an offset. */
function fillAt(chain: readonly Layer[], stretch: Stretch, offset: number): number {
  if (stretch.kind !== 'plain') return 0;
  return chain[stretch.image]!.source.content[stretch.host + (offset - stretch.offset)]!;
}

/** The byte a plain walk down the chain finds: through each image only as far as it reaches. */
function expectedFill(chain: readonly Layer[], offset: number): number {
  for (const { size, changes } of chain) {
    if (offset >= size) return 0;
    const fill = changes.get(Math.floor(offset / CLUSTER_BYTES));
    if (fill !== undefined) return fill;
  }
  return 0;
}

describe('no block is read twice, and none that is not needed', () => {
  test('tables of a chain of 100: each once, and none beneath a window that is known', () => {
    const size = 3 * L2_SPAN_BYTES;
    const everything = new Map(Array.from({ length: TABLE_ENTRIES }, (_, cluster) => [cluster, 0]));
    const layers = Array.from({ length: 100 }, (_, i) => {
      if (i === 50) return image(size, everything, false);
      return image(
        size,
        new Map([
          [i, 1],
          [TABLE_ENTRIES + i, 2],
        ]),
        i === 99,
      );
    });
    map(layers);
    const read = layers.map(({ reads }) => reads.reduce((sum, n) => sum + n, 0));
    expect(layers.every(({ reads }) => reads.every((n) => n <= 1))).toBe(true);
    // Header, L1, two L2 tables; below image 50, which knows all of the first window, only the second window's.
    expect(new Set(read.slice(0, 50))).toEqual(new Set([4]));
    expect([read[50], ...new Set(read.slice(51))]).toEqual([3, 3]);
  });

  test('a disk of 2 TiB with nothing in it reads no table at all', () => {
    const source = image(2 * 2 ** 40, new Map(), true);
    expect(map([source]).reduce((sum, { length }) => sum + length, 0)).toBe(2 * 2 ** 40);
    expect(source.reads.reduce((sum, n) => sum + n, 0)).toBe(2);
  });
});
