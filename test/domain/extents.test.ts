import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClusterSet } from '../../src/domain/cluster-set.ts';
import { coveredUntil, type Extent, markData, markDirty } from '../../src/domain/extents.ts';

const CLUSTER = 64;
const ZERO = 0b10;
const DIRTY = 1;

/** Extents that cover a disk from its start without a gap, cut anyhow. */
const extents = (size: number): fc.Arbitrary<Extent[]> =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.nat(3)), { minLength: 1, maxLength: 20 })
    .map((cuts) => {
      const list: Extent[] = [];
      let offset = 0;
      for (const [length, flags] of [...cuts, [size, 0] as const]) {
        const end = Math.min(offset + length, size);
        if (end > offset) list.push({ offset, length: end - offset, flags });
        offset = end;
      }
      return list;
    });

const disk = fc
  .integer({ min: 1, max: 1500 })
  .chain((size) => fc.record({ size: fc.constant(size), told: extents(size) }));

const flagsAt = (list: readonly Extent[], at: number): number =>
  list.find(({ offset, length }) => at >= offset && at < offset + length)?.flags ?? 0;

function marked(size: number, told: readonly Extent[], mark: typeof markData): boolean[] {
  const set = new ClusterSet(0, size, CLUSTER);
  mark(set, told);
  return [...set.runs()].flatMap(({ length, isMarked }) =>
    Array.from({ length: Math.ceil(length / CLUSTER) }, () => isMarked),
  );
}

test.each([
  ['a cluster is dirty if a byte of it is', markDirty, (flags: number) => (flags & DIRTY) !== 0],
  [
    'a cluster holds data unless all its bytes read as zeros',
    markData,
    (flags: number) => (flags & ZERO) === 0,
  ],
] as const)('%s', (_, mark, isTrue) => {
  fc.assert(
    fc.property(disk, ({ size, told }) => {
      const expected = Array.from({ length: Math.ceil(size / CLUSTER) }, (_, cluster) => {
        const start = cluster * CLUSTER;
        const bytes = Array.from({ length: Math.min(CLUSTER, size - start) }, (_, i) => start + i);
        return bytes.some((at) => isTrue(flagsAt(told, at)));
      });
      expect(marked(size, told, mark)).toEqual(expected);
    }),
  );
});

test('neither the order of the answers matters, nor how often they come', () => {
  fc.assert(
    fc.property(disk, fc.infiniteStream(fc.nat()), ({ size, told }, random) => {
      const shuffled = [...told, ...told]
        .map((extent) => ({ extent, key: random.next().value }))
        .sort((a, b) => a.key - b.key)
        .map(({ extent }) => extent);
      expect(marked(size, shuffled, markDirty)).toEqual(marked(size, told, markDirty));
    }),
  );
});

test('a hole that may not read as zeros is read', () => {
  expect(marked(64, [{ offset: 0, length: 64, flags: 0b01 }], markData)).toEqual([true]);
});

test('what is covered ends at the first gap', () => {
  const flags = 0;
  expect(coveredUntil(10, [])).toBe(10);
  expect(
    coveredUntil(10, [
      { offset: 10, length: 5, flags },
      { offset: 15, length: 5, flags },
    ]),
  ).toBe(20);
  expect(
    coveredUntil(10, [
      { offset: 10, length: 5, flags },
      { offset: 16, length: 5, flags },
    ]),
  ).toBe(15);
});
