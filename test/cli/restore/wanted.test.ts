import { expect, test } from 'vitest';
import { restoreFor, type RestoreWish, sourceAt } from '../../../src/cli/restore/wanted.ts';

const path = 'cluster/shop/my-db-1a2b3c4d/20261123T020000Z-5e6f7a8b';
const metadata = { name: 'r', namespace: 'shop' };
const good = { vm: 'db', source: { backupName: 'good' } };

const nothing: RestoreWish = {
  inPlace: false,
  disks: false,
  start: false,
  keepIdentity: false,
  stop: false,
  withoutPersistentState: false,
  verifyFirst: false,
  dryRun: false,
};

const specOf = (wish: Partial<RestoreWish>) => restoreFor({ ...nothing, ...wish }, good, metadata).spec;

test.each<[string, Partial<RestoreWish>, object]>([
  ['a new VM', { to: 'db-2' }, { newVM: { name: 'db-2' } }],
  [
    'a new VM in the place of the one that was, running',
    { to: 'db', start: true, keepIdentity: true },
    { newVM: { name: 'db', runStrategy: 'Always', identity: 'Keep' } },
  ],
  ['the VM that was backed up', { inPlace: true }, { inPlace: { vmName: 'db' } }],
  ['that VM, stopped first', { inPlace: true, stop: true }, { inPlace: { vmName: 'db', stopVM: true } }],
  ['claims with the usual prefix', { disks: true }, { claims: {} }],
  ['claims with a prefix', { disks: true, prefix: 'old-' }, { claims: { prefix: 'old-' } }],
])('a restore goes to %s, and says nothing more', (_, wish, target) => {
  expect(specOf(wish)).toEqual({ source: { backupName: 'good' }, target });
});

test('what else is wished stands in the object', () => {
  const more = { withoutPersistentState: true, verifyFirst: true, dryRun: true };
  expect(
    specOf({ to: 'db-2', volume: ['root'], storageClass: ['ceph=fast', 'slow'], ...more }),
  ).toMatchObject({ volumes: ['root'], storageClassMap: { ceph: 'fast', '*': 'slow' }, ...more });
});

test('claims may be of another kind than they were', () => {
  const spec = specOf({ disks: true, accessMode: ['ReadWriteOnce'], volumeMode: 'Filesystem' });
  expect(spec).toMatchObject({ accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem' });
});

test.each<[string, Partial<RestoreWish>, string]>([
  ['an access mode that nobody can write by', { to: 'x', accessMode: ['ReadOnlyMany'] }, 'accessModes'],
  ['no target', {}, 'say where it goes'],
  ['two targets', { to: 'x', disks: true }, 'say where it goes'],
  ['a start of nothing new', { inPlace: true, start: true }, '--start and --keep-identity are for a new VM'],
  ['a stop of nothing there', { to: 'x', stop: true }, '--stop is for a restore in place'],
  ['a prefix for a VM', { to: 'x', prefix: 'y' }, '--prefix is for claims alone'],
  ['half a pair of classes', { to: 'x', storageClass: ['ceph='] }, "NEW or OLD=NEW, not 'ceph='"],
  ['a name that is too long', { to: 'x'.repeat(64) }, 'target.newVM.name'],
])('%s is refused', (_, wish, message) => {
  expect(() => specOf(wish)).toThrow(message);
});

test.each([`nas:${path}`, `nas:./${path}`, `nas:/${path}/`])('%s names a backup and its VM', (text) => {
  expect(sourceAt(text)).toEqual({
    vm: 'my-db',
    source: { repositoryPath: { repository: 'nas', path } },
  });
});

test.each(['', 'nas', path, 'nas:cluster/shop/db', `nas:${path}/root.qcow2`])(
  "'%s' names none, and the form is told",
  (text) => {
    expect(() => sourceAt(text)).toThrow('--from takes <repository>:<cluster id>');
  },
);
