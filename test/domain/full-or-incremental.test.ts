import { describe, expect, test } from 'vitest';
import type { GoodBackup } from '../../src/domain/chain.ts';
import { decideType, type TypeQuestion } from '../../src/domain/full-or-incremental.ts';

const volume = (name: string, uid = `claim-${name}`) => ({
  name,
  claimName: `db-${name}`,
  claim: { name: `db-${name}`, uid },
});
const disk = (name: string, changes: object = {}) => ({
  volume: name,
  tracked: true,
  claimUid: `claim-${name}`,
  ...changes,
});

const parent: GoodBackup = {
  name: 'b-1',
  vmUid: 'vm',
  chain: { id: 'anchor', position: 3 },
  bitmap: 'backup-1000',
  path: 'c/shop/db-vm/b-1',
  disks: [disk('root'), disk('data')],
  isBeingDeleted: false,
  isImported: false,
};

function ask(changes: Partial<TypeQuestion> = {}): TypeQuestion {
  const volumes = [volume('root'), volume('data')];
  const asked = { wanted: 'Auto', fullEvery: 10, backupUid: 'me', vmUid: 'vm', newest: parent } as const;
  return { ...asked, volumes, restoredAt: undefined, untrackedAt: undefined, damage: undefined, ...changes };
}

describe('the whole backup is a full', () => {
  test.each<[string, Partial<TypeQuestion>, string, string]>([
    ['when it is asked for', { wanted: 'Full' }, 'FullRequested', 'spec.type asks'],
    ['when it is the first', { newest: undefined }, 'NoEarlierBackup', 'no good backup in this repository'],
    ['when the VM was made anew', { vmUid: 'other' }, 'VMReplaced', 'its UID is other, and was vm'],
    [
      'when nobody recorded of which VM the parent is',
      { newest: { ...parent, vmUid: undefined } },
      'VMReplaced',
      'was not recorded',
    ],
    [
      'when its disks were restored since',
      { restoredAt: '1970-01-01T00:20:00Z' },
      'VMRestored',
      "The VM's disks were restored at 1970-01-01T00:20:00Z, after b-1",
    ],
    [
      'when its disks were restored in the very second of the parent',
      { restoredAt: '1970-01-01T00:16:40Z' },
      'VMRestored',
      'after b-1',
    ],
    [
      'when it ran without change tracking since',
      { untrackedAt: '1970-01-01T00:20:00Z' },
      'VMRanUntracked',
      'The VM ran without change tracking (seen at 1970-01-01T00:20:00Z) after b-1',
    ],
    [
      'when the parent was found in the repository, and not taken by this installation',
      { newest: { ...parent, isImported: true } },
      'ParentImported',
      'was imported from the repository',
    ],
    [
      'when the scrub found damage in the chain',
      {
        damage: {
          path: 'c/shop/db-vm/b-0',
          chain: 'anchor',
          reason: 'BackupDataDamaged',
          message: 'bytes 0 to 65535 are not what was written',
          foundAt: '2026-11-23T18:00:00Z',
        },
      },
      'ParentDataDamaged',
      'in c/shop/db-vm/b-0: bytes 0 to 65535',
    ],
    [
      'when the parent left no bitmap',
      { newest: { ...parent, bitmap: undefined } },
      'ParentNotUsable',
      'left no bitmap',
    ],
    [
      'when the parent is being deleted',
      { newest: { ...parent, isBeingDeleted: true } },
      'ParentNotUsable',
      'is being deleted',
    ],
    [
      'when the chain is complete',
      { fullEvery: 4 },
      'ChainComplete',
      'The chain has 4 backups, and fullEvery is 4.',
    ],
    ['always, when fullEvery is 1', { fullEvery: 1 }, 'ChainComplete', 'fullEvery is 1'],
    [
      'when the chain is longer than a fullEvery that was made smaller',
      { fullEvery: 2 },
      'ChainComplete',
      'fullEvery is 2',
    ],
    [
      'when every disk must be one, by the reason of the first',
      { volumes: [volume('root', 'new'), volume('extra')] },
      'DiskReplaced',
      'Every disk needs a full',
    ],
    [
      'for the earlier reason, when there are two',
      { wanted: 'Full', newest: undefined },
      'FullRequested',
      'asks',
    ],
  ])('%s', (_, changes, reason, sentence) => {
    const decision = decideType(ask(changes));
    expect(decision).toMatchObject({
      type: 'Full',
      reason,
      chain: { id: 'me', position: 0 },
      parent: undefined,
    });
    expect(decision.message).toContain(sentence);
    expect(decision.disks.map(({ type }) => type)).toEqual(['Full', 'Full']);
    for (const disk of decision.disks) expect(disk).not.toHaveProperty('parentPath');
  });

  test('and each disk of it bears its own reason, when the disks are why', () => {
    const { disks } = decideType(ask({ volumes: [volume('root', 'new'), volume('extra')] }));
    expect(disks.map(({ reason }) => reason)).toEqual(['DiskReplaced', 'DiskNew']);
  });
});

describe('an incremental', () => {
  test('goes one position on in the chain of its parent', () => {
    expect(decideType(ask())).toEqual({
      type: 'Incremental',
      reason: 'ChangedSinceParent',
      message: 'What changed since b-1.',
      chain: { id: 'anchor', position: 4 },
      parent: { name: 'b-1', bitmap: 'backup-1000' },
      disks: ['root', 'data'].map((name) => ({
        volume: name,
        type: 'Incremental',
        reason: 'ChangedSinceParent',
        parentPath: 'c/shop/db-vm/b-1',
        claim: { name: `db-${name}`, uid: `claim-${name}` },
      })),
    });
  });

  test('is taken until the chain has fullEvery backups', () => {
    expect(decideType(ask({ fullEvery: 5 })).type).toBe('Incremental');
  });

  test.each<[string, TypeQuestion['volumes'][number], string]>([
    ['a disk that the parent does not have', volume('extra'), 'DiskNew'],
    ['a disk with another claim', volume('data', 'new'), 'DiskReplaced'],
    ['a disk whose claim was not found', { ...volume('data'), claim: undefined }, 'ClaimNotFound'],
    ['a disk without a bitmap', volume('raw'), 'DiskNotTracked'],
  ])('has a full of %s', (_, odd, reason) => {
    const newest = { ...parent, disks: [...parent.disks, disk('raw', { tracked: false })] };
    const decision = decideType(ask({ newest, volumes: [volume('root'), odd] }));
    expect(decision).toMatchObject({ type: 'Incremental', chain: { id: 'anchor', position: 4 } });
    expect(decision.disks[1]).toMatchObject({ type: 'Full', reason });
    expect(decision.disks[1]).not.toHaveProperty('parentPath');
    expect(decision.message).toContain(odd.name);
  });

  test('leaves out a disk that is not wanted any more', () => {
    expect(decideType(ask({ volumes: [volume('root')] })).disks.map(({ volume }) => volume)).toEqual([
      'root',
    ]);
  });

  test('is not taken when neither the claim of then nor the claim of now is known', () => {
    const newest = { ...parent, disks: [disk('root', { claimUid: undefined })] };
    const volumes = [{ name: 'root', claimName: 'db-root', claim: undefined }];
    expect(decideType(ask({ newest, volumes }))).toMatchObject({ type: 'Full', reason: 'ClaimNotFound' });
  });
});
