import { expect, test } from 'vitest';
import { Fault } from '../../src/mover/repository/faults.ts';
import { packFailure, unpackFailure } from '../../src/mover/restore-wire.ts';
import { TargetError } from '../../src/mover/target-error.ts';

test.each([
  new Fault('Damaged', 'vda', '/b0/vda.qcow2', 'bytes 0 to 65535 are not what was written', {
    range: { start: 0, end: 65_536 },
  }),
  new Fault('Missing', null, '/b0/vda.sums', 'is missing'),
  new TargetError('TargetFull', 'cannot write /disk.raw: it is full'),
])('an error of ours is the same after it has crossed from a thread: %s', (error) => {
  // What a structured clone leaves of it.
  const back = unpackFailure(structuredClone(packFailure(error)));
  expect(back).toBeInstanceOf(error.constructor);
  expect(Object.entries(back)).toEqual(Object.entries(error));
  expect(back.message).toBe(error.message);
});

test('a fault of the program keeps its words', () => {
  expect(unpackFailure(packFailure(new RangeError('off by one'))).message).toContain(
    'RangeError: off by one',
  );
});
