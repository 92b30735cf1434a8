import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { BriefBackup } from '../../../src/domain/upkeep/brief.ts';
import { comparePage, type Page } from '../../../src/domain/upkeep/compare.ts';
import { importedObject, importedStatus, type KnownBackup } from '../../../src/domain/upkeep/imported.ts';
import { decideBackup } from '../../../src/domain/decide-backup.ts';
import { newestGood } from '../../../src/domain/chain.ts';
import { standingOf } from '../../../src/domain/standing.ts';
import { ago, backup, goodBackup, NOW, repository, VM_UID, world } from '../builders.ts';

const VM = 'c/shop/db-aaaaaaaa';

function entry(name: string, changes: { path?: string; parent?: string; uid?: string } = {}): KnownBackup {
  const { path = `${VM}/${name}`, parent = null, uid = `uid-of-${name}` } = changes;
  const type = parent === null ? 'Full' : 'Incremental';
  return {
    event: 'backup',
    path,
    reason: null,
    message: null,
    backup: {
      uid,
      name,
      createdAt: ago(600),
      completedAt: ago(590),
      vm: { name: 'db', uid: VM_UID },
      chain: { id: 'chain', position: parent === null ? 0 : 1 },
      type,
      reason: 'so',
      message: 'so.',
      bitmap: 'backup-1000',
      attempt: 1,
      storedBytes: 100,
      volumes: [
        {
          name: 'root',
          type,
          reason: 'so',
          parent,
          sizeBytes: 10,
          dataBytes: 5,
          zeroBytes: 1,
          storedBytes: 90,
        },
      ],
    },
  };
}

function page(entries: readonly BriefBackup[], changes: Partial<Page> = {}): Page {
  return {
    repository: repository(),
    clusterId: 'c',
    entries,
    from: undefined,
    next: null,
    objects: [],
    namespaces: new Set(['shop']),
    isAsked: false,
    startedAt: NOW,
    ...changes,
  };
}

const imports = (asked: Page) => comparePage(asked, undefined).toImport.map(({ path }) => path);
const withSpec = (spec: object) => ({ ...repository(), spec: { ...repository().spec, ...spec } });

/** The object of an import, as the API server has it after the import. */
function imported(found: KnownBackup, name = found.backup.name, isFilled = true): VMBackup {
  const { metadata, spec } = importedObject('nas', found, name);
  const made = backup({ name, uid: `new-uid-of-${name}`, spec });
  return {
    ...made,
    metadata: { ...made.metadata, ...metadata },
    ...(isFilled && { status: importedStatus(found, made.metadata.creationTimestamp) }),
  };
}

describe('what is imported', () => {
  const foreign = entry('x', { path: 'other/shop/db-bbbbbbbb/x' });
  test.each<[string, Page, readonly string[]]>([
    [
      'all backups of a VM that the cluster knows none of',
      page([entry('a'), entry('b')]),
      [`${VM}/a`, `${VM}/b`],
    ],
    [
      'nothing of a VM of which it has an object: single ones were deleted on purpose',
      page([entry('a'), entry('b')], { objects: [goodBackup('a')] }),
      [],
    ],
    [
      'that too, when a person asks',
      page([entry('a'), entry('b')], { objects: [goodBackup('a')], isAsked: true }),
      [`${VM}/b`],
    ],
    [
      'nothing by itself, when that is switched off',
      page([entry('a')], { repository: withSpec({ catalogue: { import: 'Never', staleAfterHours: 1 } }) }),
      [],
    ],
    ['nothing twice', page([entry('a')], { objects: [imported(entry('a'))] }), []],
    [
      'nothing for the VM whose first backup runs just now',
      page([entry('a')], { objects: [goodBackup('now')] }),
      [],
    ],
    ['nothing of another cluster', page([foreign], { isAsked: true }), []],
    [
      'what clusters names',
      page([foreign], { repository: withSpec({ catalogue: { clusters: ['other'] } }) }),
      [foreign.path],
    ],
    [
      'nothing into a namespace that may not use the repository',
      page([entry('a')], { repository: withSpec({ allowedNamespaces: ['bank'] }), isAsked: true }),
      [],
    ],
    [
      'nothing into a namespace that is not there, or is being deleted',
      page([entry('a')], { namespaces: new Set(), isAsked: true }),
      [],
    ],
    [
      'another backup of the same UID at another path: a copy is not the original',
      page([entry('a', { path: `${VM}/copy` })], { objects: [imported(entry('a'))], isAsked: true }),
      [`${VM}/copy`],
    ],
  ])('%s', (_, asked, expected) => {
    expect(imports(asked)).toEqual(expected);
  });

  test('of one VM the newest hundred: thousands of backups do not need thousands of objects', () => {
    const many = Array.from({ length: 150 }, (_, index) => entry(`b${String(index).padStart(3, '0')}`));
    const first = imports(page(many));
    expect([first.length, first[0]]).toEqual([100, `${VM}/b050`]);
    const objects = many.slice(50).map((each) => imported(each));
    expect(imports(page(many, { objects }))).toEqual([]);
  });

  test('an import that was killed before the status is ended by the next one', () => {
    const empty = imported(entry('a'), 'a', false);
    const { toImport, toFill } = comparePage(page([entry('a')], { objects: [empty] }), undefined);
    expect([toImport, toFill.map(({ object }) => object)]).toEqual([[], [empty]]);
  });
});

describe('an object that says it stands for a backup of another namespace', () => {
  const victim = entry('a');
  const claimed = imported(victim, 'a', false);
  const thief = { ...claimed, metadata: { ...claimed.metadata, namespace: 'thieves', uid: 'thief' } };
  test('gets nothing of it', () => {
    expect(comparePage(page([victim], { objects: [thief] }), undefined).toFill).toEqual([]);
  });
  test('keeps it from nobody', () => {
    expect(imports(page([victim], { objects: [thief] }))).toEqual([victim.path]);
  });
});

describe('drift', () => {
  const unreadable: BriefBackup = {
    event: 'backup',
    path: `${VM}/z`,
    reason: 'BackupDataDamaged',
    message: 'so',
    backup: null,
  };
  test('data without object, object without data, and what cannot be read are counted and some are named', () => {
    const { counts } = comparePage(
      page([entry('a'), entry('b'), unreadable, entry('x', { path: 'other/shop/db-1/x' })], {
        objects: [goodBackup('a'), goodBackup('lost')],
      }),
      undefined,
    );
    expect(counts).toMatchObject({
      backups: 3,
      storedBytes: 300,
      dataWithoutObject: 1,
      dataWithoutObjectExamples: [`${VM}/b`],
      objectsWithoutData: 1,
      objectsWithoutDataExamples: ['shop/lost'],
      unreadable: 1,
      unreadableExamples: [`${VM}/z`],
      otherClusters: 1,
    });
  });
  test('what was committed after the listing began is not missed', () => {
    const objects = [goodBackup('late')];
    expect(
      comparePage(page([], { objects, startedAt: NOW - 3600_000 }), undefined).counts.objectsWithoutData,
    ).toBe(0);
  });
  test('property: in pages of any size the sums are the same', () => {
    const entries = Array.from({ length: 12 }, (_, index) => entry(`b${String(index).padStart(2, '0')}`));
    const objects = ['a', 'b03', 'b07', 'b99'].map((name) => goodBackup(name));
    const whole = comparePage(page(entries, { objects }), undefined).counts;
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 13 }), (size) => {
        let before: Parameters<typeof comparePage>[1];
        for (let at = 0; at < entries.length; at += size) {
          const next = entries[at + size]?.path ?? null;
          const from = at === 0 ? undefined : entries[at]?.path;
          before = comparePage(page(entries.slice(at, at + size), { objects, from, next }), before).counts;
        }
        expect(before).toEqual(whole);
      }),
    );
  });
});

describe('an imported VMBackup', () => {
  const found = entry('b', { parent: 'a' });
  test('counts as good, with its parents, so that a restore can read it', () => {
    expect(standingOf(imported(found))).toMatchObject({
      kind: 'Succeeded',
      plan: { path: `${VM}/b`, disks: [{ parentPath: `${VM}/a` }] },
    });
  });
  test('is never what an incremental builds on', () => {
    expect(newestGood([imported(found)], 'db', 'nas')).toMatchObject({ isImported: true, bitmap: undefined });
    expect(decideBackup(world({ backups: [imported(found)] }), NOW)).toMatchObject({
      kind: 'Plan',
      plan: { type: 'Full', reason: 'ParentImported' },
    });
  });
  test('says nothing of bitmaps to come: none that is made later would be newer, or have a name of its own', () => {
    const found = entry('a');
    const hostile = { ...found, backup: { ...found.backup, bitmap: 'backup-999999999999999' } };
    const status = importedStatus(hostile, ago(0));
    expect(status.plan?.bitmap).toBe('');
    const object = { ...imported(found), status };
    expect(newestGood([object, goodBackup('b')], 'db', 'nas')?.name).toBe('b');
  });
  test('without a status waits for it, and takes no backup', () => {
    expect(decideBackup(world({ backup: imported(found, 'b', false) }), NOW)).toMatchObject({
      kind: 'Wait',
      why: { reason: 'Importing' },
    });
  });
});
