import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeHeader } from '../../../src/mover/qcow2/header.ts';
import {
  CLUSTER_BITS,
  CLUSTER_BYTES,
  L2_SPAN_BYTES,
  MAX_VIRTUAL_BYTES,
  TABLE_ENTRIES,
} from '../../../src/mover/qcow2/layout.ts';
import { mapChain } from '../../../src/mover/qcow2/stretches.ts';
import { ImageTables } from '../../../src/mover/qcow2/tables.ts';
import { MemorySource, SourceDamaged } from '../support/memory-source.ts';

/** An image whose sums are right and whose tables are anything: whoever can write to a repository can make one. */
interface Forged {
  readonly size: number;
  readonly l1Entries: number;
  readonly l1Offset: number;
  readonly clusterBits?: number;
}

const FILE_CLUSTERS = 8;

function forge(header: Forged, words: readonly (readonly [at: number, value: bigint])[] = []): MemorySource {
  const file = Buffer.alloc(FILE_CLUSTERS * CLUSTER_BYTES);
  encodeHeader({
    virtualSizeBytes: header.size,
    clusterBits: CLUSTER_BITS,
    l1Entries: header.l1Entries,
    l1Offset: header.l1Offset,
    refcountTableOffset: CLUSTER_BYTES,
    refcountTableClusters: 1,
    backingFile: null,
    compression: 'none',
  }).copy(file);
  if (header.clusterBits !== undefined) file.writeUInt32BE(header.clusterBits, 20);
  for (const [at, value] of words) file.writeBigUInt64BE(value & 0xffff_ffff_ffff_ffffn, at);
  return new MemorySource(file);
}

const walk = (source: MemorySource) => [...mapChain([new ImageTables(source)])].flat();
const L1 = CLUSTER_BYTES;
const good: Forged = { size: L2_SPAN_BYTES, l1Entries: 1, l1Offset: L1 };
const at = (n: number): bigint => BigInt(n * CLUSTER_BYTES);

test.each<[string, Forged, (readonly [number, bigint])[], RegExp]>([
  ['an L1 table of 32 GiB', { size: MAX_VIRTUAL_BYTES, l1Entries: 2 ** 32 - 1, l1Offset: L1 }, [], /header/],
  ['an L1 table outside the file', { ...good, l1Offset: 2 ** 50 }, [], /header/],
  ['an L1 table between clusters', { ...good, l1Offset: L1 + 8 }, [], /header/],
  ['a disk larger than its L1 table', { ...good, size: 2 * L2_SPAN_BYTES }, [], /header/],
  ['clusters of another size', { ...good, clusterBits: 31 }, [], /header/],
  ['an L2 table outside the file', good, [[L1, at(FILE_CLUSTERS)]], /outside/],
  ['an L2 table far outside the file', good, [[L1, 1n << 55n]], /outside/],
  ['an L2 table between clusters', good, [[L1, at(2) + 512n]], /between/],
  ['an L1 entry with unknown flags', good, [[L1, at(2) | 2n]], /flags/],
  [
    'a cluster outside the file',
    good,
    [
      [L1, at(2)],
      [2 * CLUSTER_BYTES, at(FILE_CLUSTERS)],
    ],
    /outside/,
  ],
  [
    'a cluster between clusters',
    good,
    [
      [L1, at(2)],
      [2 * CLUSTER_BYTES, at(3) + 512n],
    ],
    /between/,
  ],
  [
    'an L2 entry with unknown flags',
    good,
    [
      [L1, at(2)],
      [2 * CLUSTER_BYTES, at(3) | (1n << 60n)],
    ],
    /flags/,
  ],
  [
    'a compressed cluster outside the file',
    good,
    [
      [L1, at(2)],
      [2 * CLUSTER_BYTES, (1n << 62n) | at(FILE_CLUSTERS)],
    ],
    /outside/,
  ],
  [
    'a compressed cluster in the header',
    good,
    [
      [L1, at(2)],
      [2 * CLUSTER_BYTES, (1n << 62n) | 512n],
    ],
    /outside/,
  ],
])('%s is refused', (_, header, words, message) => {
  const source = forge(header, words);
  expect(() => walk(source)).toThrow(SourceDamaged);
  expect(() => walk(source)).toThrow(message);
});

test('a table that is used over and over, as its own L2 table and for every window, ends soon', () => {
  const entries = Array.from({ length: TABLE_ENTRIES }, (_, i) => [L1 + i * 8, at(1)] as const);
  const source = forge(
    { size: TABLE_ENTRIES * L2_SPAN_BYTES, l1Entries: TABLE_ENTRIES, l1Offset: L1 },
    entries,
  );
  expect(() => walk(source)).toThrow(/more clusters than it has/);
  expect(source.reads.reduce((sum, n) => sum + n, 0)).toBeLessThan(2 * FILE_CLUSTERS);
});

test('one cluster that is named for all of a disk ends soon', () => {
  const entries = Array.from(
    { length: TABLE_ENTRIES },
    (_, i) => [2 * CLUSTER_BYTES + i * 8, at(3)] as const,
  );
  expect(() => walk(forge(good, [[L1, at(2)], ...entries]))).toThrow(/more clusters than it has/);
});

const anyOffset = fc.oneof(
  fc.nat(FILE_CLUSTERS + 1).map((n) => BigInt(n) * BigInt(CLUSTER_BYTES)),
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
);
const anyEntry = fc
  .tuple(anyOffset, fc.constantFrom(0n, 1n, 1n << 63n, 1n << 62n, (1n << 62n) | (255n << 54n)))
  .map(([offset, flags]) => offset | flags);

test('whatever the tables say, the map covers the disk once and stays within the file, or a typed error ends it', () => {
  const word = fc.tuple(fc.constantFrom(1, 2, 3, 4), fc.nat(20), anyEntry);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.nat(CLUSTER_BYTES),
      fc.array(word, { maxLength: 60 }),
      (windows, less, words) => {
        const size = windows * L2_SPAN_BYTES - less;
        const l1Entries = Math.ceil(size / L2_SPAN_BYTES);
        const source = forge(
          { size, l1Entries, l1Offset: L1 },
          words.map(([cluster, index, value]) => [cluster * CLUSTER_BYTES + index * 8, value] as const),
        );
        let stretches;
        try {
          stretches = walk(source);
        } catch (error) {
          expect(error).toBeInstanceOf(SourceDamaged);
          return;
        }
        let offset = 0;
        let stored = 0;
        for (const stretch of stretches) {
          expect(stretch.offset).toBe(offset);
          expect(stretch.length).toBeGreaterThan(0);
          offset += stretch.length;
          if (stretch.kind === 'plain')
            expect(stretch.host + stretch.length).toBeLessThanOrEqual(source.bytes);
          if (stretch.kind === 'packed')
            expect(stretch.host + stretch.storedBytes).toBeLessThanOrEqual(source.bytes);
          if (stretch.kind === 'plain') stored += stretch.length;
        }
        expect(offset).toBe(size);
        expect(stored).toBeLessThanOrEqual(source.bytes);
      },
    ),
    { numRuns: 500 },
  );
}, 60_000);

test('any bytes as a header end in a typed error or in tables', () => {
  const file = forge(good).content;
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(140), (noise, where) => {
      const spoilt = Buffer.from(file);
      spoilt.set(noise, where);
      try {
        walk(new MemorySource(spoilt));
      } catch (error) {
        expect(error).toBeInstanceOf(SourceDamaged);
      }
    }),
    { numRuns: 1000 },
  );
}, 60_000);
