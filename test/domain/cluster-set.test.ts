import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ClusterSet } from '../../src/domain/cluster-set.ts';

const CLUSTER = 65536;
const GIB = 1024 ** 3;

test('whatever is marked, the runs are those of a plain list, in order, and neighbours differ', () => {
  const ranges = fc.array(fc.tuple(fc.nat(4000), fc.nat(900)), { maxLength: 12 });
  fc.assert(
    fc.property(fc.nat(10), fc.integer({ min: 1, max: 3000 }), ranges, (start, length, marks) => {
      const offset = start * 8;
      const set = new ClusterSet(offset, length, 8);
      const plain = Array.from({ length: Math.ceil(length / 8) }, () => false);
      for (const [at, bytes] of marks) {
        set.mark(at, bytes);
        for (let byte = Math.max(at, offset); byte < Math.min(at + bytes, offset + length); byte++) {
          plain[Math.floor((byte - offset) / 8)] = true;
        }
      }
      const told: boolean[] = [];
      let at = offset;
      for (const run of set.runs()) {
        expect([run.offset, run.length > 0, run.isMarked !== told.at(-1)]).toEqual([at, true, true]);
        for (let i = 0; i < run.length; i += 8) told.push(run.isMarked);
        at += run.length;
      }
      expect([told, at]).toEqual([plain, offset + length]);
    }),
  );
});

test('marks of many pages: a disk of 16 GiB, and the seams between its pages', () => {
  const set = new ClusterSet(0, 16 * GIB, CLUSTER);
  set.mark(4 * GIB - 1, 2);
  set.mark(6 * GIB, 7 * GIB);
  expect(
    [...set.runs()].map(({ offset, length, isMarked }) => [offset / CLUSTER, length / CLUSTER, isMarked]),
  ).toEqual([
    [0, 65535, false],
    [65535, 2, true],
    [65537, 32767, false],
    [98304, 114688, true],
    [212992, 49152, false],
  ]);
});

test('a disk of 2 PiB with one mark at its end is quickly told', () => {
  const set = new ClusterSet(0, 2 ** 51, CLUSTER);
  set.mark(2 ** 51 - 1, 1);
  expect([...set.runs()]).toEqual([
    { offset: 0, length: 2 ** 51 - CLUSTER, isMarked: false },
    { offset: 2 ** 51 - CLUSTER, length: CLUSTER, isMarked: true },
  ]);
});
