import { constants } from 'node:os';
import { describe, expect, test } from 'vitest';
import { isMissing, systemError } from '../../src/mover/errno.ts';
import { Fault, lookFault } from '../../src/mover/repository/faults.ts';
import { TargetError, targetError } from '../../src/mover/target-error.ts';

/** As Node throws it. libuv's own names and numbers; it has no name for ESTALE. */
function thrown(name: keyof typeof constants.errno, code: string = name): Error {
  return Object.assign(new Error(`${code}: something, write`), { code, errno: -constants.errno[name] });
}
const stale = thrown('ESTALE', 'Unknown system error -116');

describe('a failed system call is told by its number', () => {
  test.each([
    ['TargetFull', thrown('ENOSPC')],
    ['TargetFull', thrown('EDQUOT')],
    ['TargetReadOnly', thrown('EROFS')],
    ['TargetDenied', thrown('EACCES')],
    ['TargetStale', stale],
    ['TargetTimedOut', thrown('ETIMEDOUT')],
    ['TargetFailed', thrown('EIO')],
    ['TargetFailed', new Error('no errno at all')],
  ])('%s', (reason, cause) => {
    expect(targetError('write', '/r/vda.qcow2', cause)).toMatchObject({ reason, cause });
  });

  test('ESTALE gets the name that libuv does not know', () => {
    expect([systemError(stale).code, isMissing(stale)]).toEqual(['ESTALE', false]);
  });
});

describe('a look that failed', () => {
  test.each([
    ['is a fault when the file is missing', thrown('ENOENT'), Fault, 'BackupDataMissing'],
    ['is a fault when the storage cannot read it', thrown('EIO'), Fault, 'BackupDataDamaged'],
    ['is none when the export was withdrawn', stale, TargetError, 'TargetStale'],
    ['is none when the server does not answer', thrown('ETIMEDOUT'), TargetError, 'TargetTimedOut'],
  ])('%s', (_, cause, type, reason) => {
    const found = lookFault('vda', '/r/b0/vda.qcow2', cause);
    expect(found).toBeInstanceOf(type);
    expect(found).toMatchObject({ reason });
  });
});
