import { describe, expect, test } from 'vitest';
import { type GuestView, judgeGuest } from '../../src/domain/guest-first.ts';

const fine: GuestView = {
  paused: false,
  pausedByIoError: false,
  wasPaused: false,
  scratchUsedBytes: 10,
  scratchFreeBytes: 1000,
  migrationWanted: false,
  deletionWanted: false,
  superseded: false,
};
const limits = { scratchBudgetBytes: 100, scratchReserveBytes: 500 };

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
});
