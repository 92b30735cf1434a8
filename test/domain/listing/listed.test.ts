import { expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { listed } from '../../../src/domain/listing/listed.ts';
import type { BriefBackup } from '../../../src/domain/upkeep/brief.ts';
import { goodBackup } from '../builders.ts';

const VM = 'c/shop/db-aaaaaaaa';

function entry(id: string, chain = 'one'): BriefBackup {
  return {
    ...{ event: 'backup', path: `${VM}/${id}`, reason: null, message: null },
    backup: {
      ...{
        uid: `uid-of-${id}`,
        name: id,
        createdAt: '2026-11-23T02:00:00Z',
        completedAt: '2026-11-23T02:01:00Z',
      },
      ...{
        vm: { name: 'db', uid: 'vm' },
        chain: { id: chain, position: 1 },
        type: 'Incremental',
        reason: 'So',
      },
      ...{ message: '.', bitmap: null, attempt: 1, storedBytes: 7, volumes: [] },
    },
  };
}

const object = (id: string, imported?: VMBackup['spec']['imported']): VMBackup => {
  const made = goodBackup(id, { spec: imported ? { imported } : {} });
  return { ...made, metadata: { ...made.metadata, uid: imported ? `new-uid-of-${id}` : `uid-of-${id}` } };
};

test('each backup is told with its VMBackup, if it has one', () => {
  const imported = { cluster: 'c', path: `${VM}/b`, uid: 'uid-of-b' };
  const objects = [object('a'), object('b', imported)];
  expect(listed([entry('a'), entry('b'), entry('c')], { objects, damaged: [] })).toEqual([
    {
      ...{ path: `${VM}/a`, vmName: 'db', createdAt: '2026-11-23T02:00:00.000Z', type: 'Incremental' },
      ...{ chain: { id: 'one', position: 1 }, storedBytes: 7, backupName: 'a' },
    },
    expect.objectContaining({ path: `${VM}/b`, backupName: 'b', imported: true }),
    expect.not.objectContaining({ backupName: expect.anything() }),
  ]);
});

test('damage is told where it is, and at what stands on it', () => {
  const damaged = [
    {
      path: `${VM}/b`,
      chain: 'one',
      reason: 'BackupDataDamaged',
      message: 'bytes',
      foundAt: '2026-11-24T00:00:00Z',
    },
  ];
  const entries = [entry('a'), entry('b'), entry('c'), entry('d', 'two')];
  const reasons = listed(entries, { objects: [], damaged }).map(({ damage }) => damage?.reason);
  expect(reasons).toEqual([undefined, 'BackupDataDamaged', 'StandsOnDamage', undefined]);
});

test('a directory that cannot be read is told with the reason', () => {
  const unreadable: BriefBackup = {
    ...{ event: 'backup', path: `${VM}/x`, reason: 'ManifestDamaged', message: 'not JSON', backup: null },
  };
  expect(listed([unreadable], { objects: [], damaged: [] })).toEqual([
    { path: `${VM}/x`, damage: { reason: 'ManifestDamaged', message: 'not JSON' } },
  ]);
});
