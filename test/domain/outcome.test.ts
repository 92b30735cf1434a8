import { describe, expect, test } from 'vitest';
import { humanSize, secondsOf, storedBytes } from '../../src/domain/columns.ts';
import { hasSucceeded, outcomeOf } from '../../src/domain/outcome.ts';
import { clip } from '../../src/domain/why.ts';
import { parentsOf } from '../../src/domain/retention/points.ts';
import { backup, execution, failure, plan } from './builders.ts';

const incremental = plan({
  type: 'Incremental',
  reason: 'ChangedSinceParent',
  chain: { id: 'anchor', position: 2 },
});
const disk = (volume: string, type: 'Full' | 'Incremental', reason = 'BitmapMissing') => ({
  volume,
  type,
  reason,
  tracked: true,
});
const incrementalFallback = {
  reason: 'CheckpointLost',
  message: 'QEMU was killed.',
  disks: ['root', 'data'],
};

const committed = {
  disks: [
    { ...disk('root', 'Incremental', 'CommittedBefore'), parentPath: 'c/shop/db-1/parent' },
    disk('data', 'Full', 'CommittedBefore'),
  ],
};

describe('what came of a plan', () => {
  test.each([
    [
      'a full is a full',
      plan(),
      execution(),
      { type: 'Full', typeReason: 'NoEarlierBackup', chain: { id: 'uid-of-b', position: 0 } },
    ],
    [
      'an incremental is the planned link',
      incremental,
      execution({ disks: [disk('root', 'Incremental')] }),
      { type: 'Incremental', typeReason: 'ChangedSinceParent', chain: { id: 'anchor', position: 2 } },
    ],
    [
      'it still is when only some disks fell back',
      incremental,
      execution({ disks: [disk('root', 'Incremental'), disk('data', 'Full')], incrementalFallback }),
      { type: 'Incremental', typeReason: 'ChangedSinceParent', chain: { id: 'anchor', position: 2 } },
    ],
    [
      'it begins a chain when all disks fell back',
      incremental,
      execution({ disks: [disk('root', 'Full'), disk('data', 'Full')], incrementalFallback }),
      { type: 'Full', typeReason: 'CheckpointLost', chain: { id: 'me', position: 0 } },
    ],
    [
      'it does too when the others were planned as fulls',
      incremental,
      execution({ disks: [disk('root', 'Full', 'BitmapMissing'), disk('new', 'Full', 'DiskNew')] }),
      { type: 'Full', typeReason: 'BitmapMissing', chain: { id: 'me', position: 0 } },
    ],
    [
      'what an earlier attempt committed is what its manifest says, though a full was planned after it',
      plan(),
      execution({ ...committed, chain: { id: 'anchor', position: 2 } }),
      { type: 'Incremental', typeReason: 'CommittedBefore', chain: { id: 'anchor', position: 2 } },
    ],
    [
      'and though an incremental was planned after a full',
      incremental,
      execution({ disks: [disk('root', 'Full', 'CommittedBefore')], chain: { id: 'me', position: 0 } }),
      { type: 'Full', typeReason: 'CommittedBefore', chain: { id: 'me', position: 0 } },
    ],
  ] as const)('%s', (_, plan, execution, outcome) => {
    expect(outcomeOf(plan, execution, 'me')).toEqual(outcome);
  });

  test('what an earlier attempt committed stands on what its manifest names', () => {
    const status = {
      plan: plan(),
      execution: execution({ ...committed, chain: { id: 'anchor', position: 2 } }),
    };
    expect(parentsOf(backup({ status }))).toEqual(['c/shop/db-1/parent']);
  });

  test.each([
    ['is good when it ended without an error', execution(), true],
    ['is not good before it ended', execution({ completedAt: undefined }), false],
    ['is not good with an error', execution({ error: failure }), false],
  ])('an attempt %s', (_, execution, good) => {
    expect(hasSucceeded(execution)).toBe(good);
  });
});

describe('columns', () => {
  test.each([
    [0, '0B'],
    [1023, '1023B'],
    [1024, '1.0Ki'],
    [1_258_291, '1.2Mi'],
    [1024 ** 2 - 1, '1.0Mi'],
    [5 * 1024 ** 4, '5.0Ti'],
    [2 ** 53, '8.0Pi'],
    [1024 ** 6 * 5, '5120.0Pi'],
  ])('%d bytes are %s', (bytes, size) => {
    expect(humanSize(bytes)).toBe(size);
  });

  test('the size is what all disks take, as far as is told', () => {
    expect(
      storedBytes(
        execution({
          disks: [
            { ...disk('a', 'Full'), storedBytes: 5 },
            disk('b', 'Full'),
            { ...disk('c', 'Full'), storedBytes: 7 },
          ],
        }),
      ),
    ).toBe(12);
    expect(storedBytes(execution({ disks: [disk('a', 'Full')] }))).toBeUndefined();
  });

  test('the time is from begin to end', () => {
    expect(
      secondsOf(execution({ startedAt: '2026-11-23T18:00:00Z', completedAt: '2026-11-23T18:01:02.6Z' })),
    ).toBe(63);
    expect(secondsOf(execution({ completedAt: undefined }))).toBeUndefined();
    expect(
      secondsOf(execution({ startedAt: '2026-11-23T18:00:01Z', completedAt: '2026-11-23T18:00:00Z' })),
    ).toBeUndefined();
  });

  test('a sentence that is too long is cut', () => {
    expect(clip('abcdef', 6)).toBe('abcdef');
    expect(clip('abcdefg', 6)).toBe('abcde…');
  });
});
