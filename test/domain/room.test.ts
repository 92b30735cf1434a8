import { expect, test } from 'vitest';
import { estimatedBytes, noRoom } from '../../src/domain/room.ts';

const GIB = 2 ** 30;
const root = { volume: 'root', type: 'Incremental', bytes: 3 * GIB } as const;
const data = { volume: 'data', type: 'Full', bytes: 5 * GIB } as const;
const block = { volume: 'block', type: 'Full', bytes: undefined } as const;

test('a backup that fits is not refused', () => {
  expect(noRoom([root, data], 8 * GIB)).toBeUndefined();
});

test('one that does not is refused, disk by disk', () => {
  expect(noRoom([root, data, block], 8 * GIB - 1)).toMatchObject({
    reason: 'RepositoryTooFull',
    message: expect.stringContaining(
      "up to 8.0Gi ('root' 3.0Gi changed, 'data' 5.0Gi allocated), and 8.0Gi are free",
    ),
  });
});

test("what nobody can tell stands in nobody's way", () => {
  expect(noRoom([block], 0)).toBeUndefined();
  expect(estimatedBytes([root, block])).toBe(3 * GIB);
});
