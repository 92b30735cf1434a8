import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/domain/restore/source.ts';
import { backup, goodBackup, repository } from '../builders.ts';
import { claimsOnly, PATH, restore } from './builders.ts';

const byPath = (path: string) =>
  restore(claimsOnly, { source: { repositoryPath: { repository: 'nas', path } } });
const byName = restore(claimsOnly, { source: { backupName: 'b' } });
const clusterId = 'cluster';
const granting = (grant: object) => {
  const nas = repository();
  return { ...nas, spec: { ...nas.spec, restoreGrants: [{ from: 'shop', into: 'shop', ...grant }] } };
};
const foreign = PATH.replace('cluster', 'other');
const ofYard = PATH.replace('/shop/', '/yard/');

describe('the source of a restore', () => {
  test.each([
    ['a backup of this namespace, by path', byPath(PATH), undefined, repository(), PATH],
    [
      'a backup of this namespace, by name',
      byName,
      goodBackup('b', { plan: { path: PATH } }),
      repository(),
      PATH,
    ],
    [
      'what the plan names, when the object is gone',
      restore(
        claimsOnly,
        { source: { backupName: 'b' } },
        { plan: { repository: 'nas', path: PATH, claims: [] } },
      ),
      undefined,
      repository(),
      PATH,
    ],
    ['another cluster, granted', byPath(foreign), undefined, granting({ clusterID: 'other' }), foreign],
    [
      'an imported backup of another cluster, granted',
      byName,
      goodBackup('b', {
        spec: { imported: { cluster: 'other', path: foreign, uid: 'u' } },
        plan: { path: foreign },
      }),
      granting({ clusterID: 'other' }),
      foreign,
    ],
    ['any cluster, granted', byPath(foreign), undefined, granting({ clusterID: '*' }), foreign],
    ['another namespace, granted', byPath(ofYard), undefined, granting({ from: 'yard' }), ofYard],
    ['any namespace, granted', byPath(ofYard), undefined, granting({ from: '*', into: '*' }), ofYard],
  ])('may be %s', (_, asked, named, from, path) => {
    expect(sourceOf({ restore: asked, backup: named, repository: from, clusterId })).toMatchObject({ path });
  });

  test.each([
    ['a backup that is not there', byName, undefined, repository(), 'BackupNotFound'],
    ['a backup without data', byName, backup({ name: 'b' }), repository(), 'BackupNotUsable'],
    ['a repository that is not there', byPath(PATH), undefined, undefined, 'RepositoryNotFound'],
    [
      'an imported backup of another cluster',
      byName,
      goodBackup('b', {
        spec: { imported: { cluster: 'other', path: foreign, uid: 'u' } },
        plan: { path: foreign },
      }),
      repository(),
      'RestoreNotGranted',
    ],
    ['another namespace', byPath(ofYard), undefined, repository(), 'RestoreNotGranted'],
    ['another cluster', byPath(foreign), undefined, repository(), 'RestoreNotGranted'],
    [
      'another cluster, where this one was granted',
      byPath(foreign),
      undefined,
      granting({}),
      'RestoreNotGranted',
    ],
    [
      'a namespace granted into another',
      byPath(ofYard),
      undefined,
      granting({ from: 'yard', into: 'lab' }),
      'RestoreNotGranted',
    ],
  ])('may not be %s', (_, asked, named, from, reason) => {
    expect(sourceOf({ restore: asked, backup: named, repository: from, clusterId })).toMatchObject({
      reason,
    });
  });

  test('may not be a repository that does not serve the namespace', () => {
    const nas = repository();
    const closed = { ...nas, spec: { ...nas.spec, allowedNamespaces: ['lab'] } };
    expect(
      sourceOf({ restore: byPath(PATH), backup: undefined, repository: closed, clusterId }),
    ).toMatchObject({
      reason: 'NamespaceNotAllowed',
    });
  });
});
