import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CLUSTER_BYTES, REFCOUNTS_PER_BLOCK } from '../../../src/mover/qcow2/layout.ts';
import { Refcounts } from '../../../src/mover/qcow2/refcounts.ts';

/** Counts a file of `counts` clusters after its header, appended so many at a time; gives what the file says in the end. */
function countedFile(
  counts: readonly number[],
  step: number,
): { readonly told: number[]; readonly size: number } {
  const blocks = new Map<number, Buffer>();
  let end = 1;
  const append = (clusters: Buffer): number => {
    const offset = end * CLUSTER_BYTES;
    blocks.set(offset, clusters);
    end += clusters.length / CLUSTER_BYTES;
    return offset;
  };
  const refcounts = new Refcounts(append);
  for (let at = 0; at < counts.length; at += step) {
    const some = counts.slice(at, at + step);
    end += some.length;
    refcounts.add(some);
  }
  const { refcountTableOffset } = refcounts.finish();
  const table = blocks.get(refcountTableOffset)!;
  const told: number[] = [];
  for (let i = 0; i < table.length / 8 && table.readBigUInt64BE(i * 8) !== 0n; i++) {
    const block = blocks.get(Number(table.readBigUInt64BE(i * 8)))!;
    for (let j = 0; j < REFCOUNTS_PER_BLOCK; j++) told.push(block.readUInt16BE(j * 2));
  }
  return { told, size: end };
}

test('whatever the file, each of its clusters is counted in its place, the refcounts themselves by one, and none after its end', () => {
  const near = fc.integer({ min: -3, max: 3 });
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 2 }),
      near,
      fc.integer({ min: 1, max: 64 }),
      (blocks, more, step) => {
        const clusters = Math.max(0, blocks * REFCOUNTS_PER_BLOCK + more);
        // None is 1, so that the refcounts' own clusters stand out.
        const counts = Array.from({ length: clusters }, (_, i) => (i % 100) + 2);
        const { told, size } = countedFile(counts, step);
        expect(told.slice(0, size).filter((count) => count !== 1)).toEqual(counts);
        expect(told.slice(0, size).every((count) => count > 0)).toBe(true);
        expect(told.slice(size).every((count) => count === 0)).toBe(true);
      },
    ),
    { numRuns: 40 },
  );
}, 30_000);
