import { describe, expect, test } from 'vitest';
import type { Verification } from '../../../src/crds/upkeep.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { VerifyResult } from '../../../src/domain/mover-report.ts';
import {
  asksForVerification,
  verified,
  verifiedUpTo,
  withDamage,
} from '../../../src/domain/upkeep/verification.ts';
import { ago, backup, goodBackup } from '../builders.ts';

const AT = ago(0);
const WHY = { reason: 'MoverFailed', message: 'It was killed.' };
const DIRECTORY = '/mnt/repository/c/shop/db-1';

function asking(verification?: Verification, made: VMBackup = goodBackup('b')): VMBackup {
  const annotations = { 'backup.tidemark.dev/verify': 'now' };
  const status = made.status && { ...made.status, ...(verification && { verification }) };
  return { ...made, metadata: { ...made.metadata, annotations }, ...(status && { status }) };
}

function said(changes: Partial<VerifyResult> = {}): VerifyResult {
  const result = { event: 'result', command: 'verify', directory: `${DIRECTORY}/b` } as const;
  return { ...result, good: true, cursor: null, backups: 1, bytesRead: 1024, faults: [], ...changes };
}

function fault(id: string): VerifyResult['faults'][number] {
  const path = `${DIRECTORY}/${id}/root.qcow2`;
  const message = `${path}: bytes 0 to 65536 are not what was written`;
  return { reason: 'BackupDataDamaged', volume: 'root', path, message, range: null, guestRanges: [] };
}

describe('a verification is due', () => {
  const done = { trigger: 'now', bytesRead: 1, completedAt: AT };
  const deleted = goodBackup('b', { deletedAt: AT });
  test.each([
    ['when it is asked for', asking(), true],
    ['when it is asked for anew', asking({ ...done, trigger: 'before' }), true],
    ['when it had to give way', asking({ trigger: 'now', bytesRead: 1, cursor: 'b#root#0' }), true],
    ['not when it was done', asking(done), false],
    ['not when nobody asks', goodBackup('b'), false],
    ['not of a backup that is no more', asking(undefined, deleted), false],
    ['not of a backup that has no data yet', asking(undefined, backup({ name: 'b' })), false],
  ])('%s', (_, object, expected) => {
    expect(asksForVerification(object)).toBe(expected);
  });
});

describe('what is told', () => {
  test('of good data', () => {
    const found = verified(asking(), said({ backups: 3 }), WHY, AT);
    expect(found).toEqual({
      ...{ trigger: 'now', bytesRead: 1024, completedAt: AT, result: 'Good', reason: 'Verified' },
      message: 'Every byte of its data and that of the 2 it stands on is what was written: 1.0Ki read.',
    });
  });

  test('of damage: the first, by its place in the repository, and how many more', () => {
    const faults = [fault('a'), fault('b')];
    expect(verified(asking(), said({ good: false, faults }), WHY, AT)).toMatchObject({
      result: 'Damaged',
      reason: 'BackupDataDamaged',
      message: 'c/shop/db-1/a/root.qcow2: bytes 0 to 65536 are not what was written (and 1 more)',
    });
  });

  test('of a Job that found nothing out: why', () => {
    expect(verified(asking(), undefined, WHY, AT)).toMatchObject({ result: 'Unknown', ...WHY });
  });

  test('of one that gave way: where it goes on; and the bytes add up', () => {
    const first = verified(asking(), said({ cursor: 'b#root#64' }), WHY, AT);
    expect(first).toEqual({ trigger: 'now', bytesRead: 1024, cursor: 'b#root#64' });
    expect(verifiedUpTo(asking(first))).toBe('b#root#64');
    expect(verified(asking(first), said(), WHY, AT)).toMatchObject({ result: 'Good', bytesRead: 2048 });
    // Another wish begins anew.
    expect(verifiedUpTo(asking({ ...first, trigger: 'before' }))).toBeUndefined();
  });
});

describe('what the repository learns', () => {
  test('each damaged backup once, in the order of a walk, beside what was known', () => {
    const known = { path: 'c/shop/db-1/z', reason: 'X', message: 'x', foundAt: AT };
    const scrub = { passBytes: 7, damagedCount: 1, damaged: [known], cursor: 'here' };
    const found = withDamage(scrub, asking(), said({ faults: [fault('b'), fault('a'), fault('a')] }), AT);
    expect(found?.scrub).toMatchObject({ passBytes: 7, cursor: 'here', damagedCount: 3 });
    expect(found?.scrub.damaged?.map(({ path }) => path.split('/').at(-1))).toEqual(['a', 'b', 'z']);
    expect(withDamage(found?.scrub, asking(), said({ faults: [fault('a')] }), AT)).toBeUndefined();
  });

  test('nothing from good data', () => {
    expect(withDamage(undefined, asking(), said(), AT)).toBeUndefined();
  });
});
