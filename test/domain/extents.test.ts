import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CopyExtent,
  copyExtents,
  coveredUntil,
  type Extent,
  emptyClusterMap,
  paintAllocation,
  paintDirty,
  paintDirtyFrom,
} from '../../src/domain/extents.ts';

const CLUSTER = 64;
const ZERO = 0b10;
const DIRTY = 1;

function plan(size: number, allocation: readonly Extent[], dirty: readonly Extent[]): CopyExtent[] {
  const map = emptyClusterMap(0, size, CLUSTER);
  paintAllocation(map, allocation);
  paintDirty(map, dirty);
  return [...copyExtents(map)];
}

/** Extents that cover a disk from its start without a gap, cut anyhow. */
const extents = (size: number, flag: number): fc.Arbitrary<Extent[]> =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.boolean()), { minLength: 1, maxLength: 20 })
    .map((cuts) => {
      const list: Extent[] = [];
      let offset = 0;
      for (const [length, isSet] of [...cuts, [size, false] as const]) {
        const end = Math.min(offset + length, size);
        if (end > offset) list.push({ offset, length: end - offset, flags: isSet ? flag : 0 });
        offset = end;
      }
      return list;
    });

const disk = fc
  .integer({ min: 1, max: 1500 })
  .chain((size) =>
    fc.record({ size: fc.constant(size), allocation: extents(size, ZERO), dirty: extents(size, DIRTY) }),
  );

const flagAt = (list: readonly Extent[], at: number): number =>
  list.find(({ offset, length }) => at >= offset && at < offset + length)?.flags ?? 0;

describe('what to copy', () => {
  test('covers exactly the disk, in order, without a gap, and neighbours differ', () => {
    fc.assert(
      fc.property(disk, ({ size, allocation, dirty }) => {
        let at = 0;
        let before = '';
        for (const { offset, length, kind } of plan(size, allocation, dirty)) {
          expect([offset, length > 0, kind === before]).toEqual([at, true, false]);
          at += length;
          before = kind;
        }
        expect(at).toBe(size);
      }),
    );
  });

  test('reads a cluster if a byte of it is dirty and a byte of it is data; skips it only if none is dirty', () => {
    fc.assert(
      fc.property(disk, ({ size, allocation, dirty }) => {
        for (const { offset, length, kind } of plan(size, allocation, dirty)) {
          for (let start = offset; start < offset + length; start += CLUSTER) {
            const bytes = Array.from({ length: Math.min(CLUSTER, size - start) }, (_, i) => start + i);
            const isDirty = bytes.some((at) => flagAt(dirty, at) === DIRTY);
            const isZero = bytes.every((at) => flagAt(allocation, at) === ZERO);
            const right = isDirty ? (isZero ? 'zero' : 'data') : 'clean';
            expect(kind).toBe(right);
          }
        }
      }),
    );
  });

  test('is the same whatever the order of the answers, and however often they come', () => {
    fc.assert(
      fc.property(disk, fc.infiniteStream(fc.nat()), ({ size, allocation, dirty }, random) => {
        const shuffled = (list: readonly Extent[]): Extent[] =>
          [...list, ...list]
            .map((extent) => ({ extent, key: random.next().value }))
            .sort((a, b) => a.key - b.key)
            .map(({ extent }) => extent);
        expect(plan(size, shuffled(allocation), shuffled(dirty))).toEqual(plan(size, allocation, dirty));
      }),
    );
  });
});

describe('a disk that grew', () => {
  test.each<[string, number, CopyExtent[]]>([
    [
      'by whole clusters: the new ones are read',
      128,
      [
        { offset: 0, length: 128, kind: 'clean' },
        { offset: 128, length: 172, kind: 'data' },
      ],
    ],
    [
      'in the middle of a cluster: that cluster, too',
      100,
      [
        { offset: 0, length: 64, kind: 'clean' },
        { offset: 64, length: 236, kind: 'data' },
      ],
    ],
    ['from nothing: all of it', 0, [{ offset: 0, length: 300, kind: 'data' }]],
    ['not at all: nothing', 300, [{ offset: 0, length: 300, kind: 'clean' }]],
  ])('%s', (_, parentSize, expected) => {
    const map = emptyClusterMap(0, 300, CLUSTER);
    paintAllocation(map, [{ offset: 0, length: 300, flags: 0 }]);
    paintDirtyFrom(map, parentSize);
    expect([...copyExtents(map)]).toEqual(expected);
  });
});

test('a hole that may not read as zeros is read', () => {
  expect(
    plan(64, [{ offset: 0, length: 64, flags: 0b01 }], [{ offset: 0, length: 64, flags: DIRTY }]),
  ).toEqual([{ offset: 0, length: 64, kind: 'data' }]);
});

test('marks outside the map are cut off', () => {
  const map = emptyClusterMap(128, 128, CLUSTER);
  paintAllocation(map, [{ offset: 0, length: 1000, flags: 0 }]);
  paintDirty(map, [
    { offset: 0, length: 129, flags: DIRTY },
    { offset: 256, length: 9, flags: DIRTY },
  ]);
  expect([...copyExtents(map)]).toEqual([
    { offset: 128, length: 64, kind: 'data' },
    { offset: 192, length: 64, kind: 'clean' },
  ]);
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
