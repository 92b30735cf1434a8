import { describe, expect, test } from 'vitest';
import { type GuestView, judgeGuest } from '../../src/domain/guest-first.ts';

const fine: GuestView = {
  paused: false,
  pausedByIoError: false,
  wasPaused: false,
  disksInError: [],
  scratchGrowthBytes: 0,
  copy: { percent: 40, silentMs: 500 },
  scratchUsedBytes: 10,
  scratchFreeBytes: 1000,
  migrationWanted: false,
  deletionWanted: false,
  superseded: false,
};
const limits = { scratchBudgetBytes: 100, scratchShare: 0.5, scratchReserveBytes: 500 };

describe('the guest comes before the backup', () => {
  test.each([
    ['goes on while all is well', {}, 'GoOn'],
    ['goes on with a VM that its owner had paused before', { paused: true, wasPaused: true }, 'GoOn'],
    ['goes on when the owner pauses the VM', { paused: true }, 'GoOn'],
    ['goes on at exactly the scratch budget', { scratchUsedBytes: 100 }, 'GoOn'],
    ['gives way when the VMBackup is deleted', { deletionWanted: true }, 'BackupDeleted'],
    [
      'gives way when the guest is paused by an I/O error',
      { paused: true, pausedByIoError: true },
      'GuestPaused',
    ],
    ['gives way to another attempt', { superseded: true }, 'Superseded'],
    ['gives way above the scratch budget', { scratchUsedBytes: 101 }, 'ScratchBudgetExceeded'],
    [
      'gives way before the next second is over the budget',
      { scratchUsedBytes: 60, scratchGrowthBytes: 41 },
      'ScratchBudgetExceeded',
    ],
    [
      'gives way above its share of what was free',
      { scratchUsedBytes: 90, scratchFreeBytes: 80 },
      'ScratchBudgetExceeded',
    ],
    [
      'gives way before the next second eats the reserve',
      { scratchFreeBytes: 540, scratchGrowthBytes: 41 },
      'ScratchSpaceLow',
    ],
    ['gives way when the scratch files eat the reserve', { scratchFreeBytes: 499 }, 'ScratchSpaceLow'],
    ['gives way to a migration', { migrationWanted: true }, 'MigrationWanted'],
    [
      'helps the guest before it heeds a migration',
      { migrationWanted: true, paused: true, pausedByIoError: true },
      'GuestPaused',
    ],
  ])('%s', (_, seen, expected) => {
    const verdict = judgeGuest({ ...fine, ...seen }, limits);
    expect(verdict.kind === 'GoOn' ? 'GoOn' : verdict.reason).toBe(expected);
  });

  const GiB = 2 ** 30;
  const real = { scratchBudgetBytes: 10 * GiB, scratchShare: 0.5, scratchReserveBytes: GiB / 2 };
  const paused = { paused: true, pausedByIoError: true, disksInError: ['vda'] };

  test.each<[string, Partial<GuestView>, string]>([
    [
      'no room for its scratch files',
      { ...paused, scratchFreeBytes: 4096 },
      'on vda while the backup ran, for want of room',
    ],
    [
      'its own storage',
      { ...paused, scratchFreeBytes: 5 * GiB },
      "look at the storage of the VM's own disks",
    ],
    [
      'a guest that wrote too fast',
      { scratchUsedBytes: 11 * GiB, scratchFreeBytes: 90 * GiB },
      'was at 40 % and went on: the guest wrote faster',
    ],
    [
      'a repository that stands still',
      { scratchUsedBytes: 11 * GiB, scratchFreeBytes: 90 * GiB, copy: { percent: 7, silentMs: 42_000 } },
      'stood still for 42 s at 7 %: the repository is slow',
    ],
    [
      'the budget in bytes',
      { scratchUsedBytes: 11 * GiB, scratchFreeBytes: 90 * GiB },
      'is 10.0Gi (--scratch-budget of',
    ],
    [
      'the budget as a share',
      { scratchUsedBytes: 3 * GiB, scratchFreeBytes: 2 * GiB },
      'is 2.5Gi (--scratch-share=50 of',
    ],
  ])('says whose fault it is: %s', (_, seen, words) => {
    const verdict = judgeGuest({ ...fine, scratchUsedBytes: 0, ...seen }, real);
    expect(verdict).toMatchObject({ kind: 'Abort', message: expect.stringContaining(words) });
  });
});
