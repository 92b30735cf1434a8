import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { vmBackups } from '../../src/crds/vmbackup.ts';
import { vmBackupRepositories } from '../../src/crds/vmbackuprepository.ts';
import { vmBackupSchedules } from '../../src/crds/vmbackupschedule.ts';
import { vmRestores } from '../../src/crds/vmrestore.ts';
import { standingOf } from '../../src/domain/standing.ts';
import { EARLIER, earlierObjects } from '../support/upgrade/earlier.ts';
import { narrowings } from '../support/upgrade/narrowings.ts';

const root = join(import.meta.dirname, '../..');
const Crd = z.looseObject({
  spec: z.looseObject({
    versions: z.array(
      z.looseObject({ name: z.string(), schema: z.object({ openAPIV3Schema: z.unknown() }) }),
    ),
  }),
});

function schemaIn(path: string): unknown {
  const { spec } = Crd.parse(parse(readFileSync(path, 'utf8')));
  return spec.versions.find(({ name }) => name === 'v1alpha1')?.schema.openAPIV3Schema;
}

describe('within v1alpha1', () => {
  test.each(readdirSync(join(EARLIER, 'crds')))('%s takes all that it took before', (file) => {
    const before = schemaIn(join(EARLIER, 'crds', file));
    expect(narrowings(before, schemaIn(join(root, 'deploy/crds', file)))).toEqual([]);
  });

  const kinds = { vmBackups, vmBackupRepositories, vmBackupSchedules, vmRestores };
  test.each(Object.values(kinds).map((kind) => [kind.kind, kind] as const))(
    'each %s of before is read, with nothing lost',
    (name, kind) => {
      const found = earlierObjects.filter((object) => object.kind === name);
      expect(found).not.toEqual([]);
      for (const object of found) expect(kind.parse(object)).toMatchObject(object);
    },
  );

  test('a backup of before counts as good, with its place in its chain', () => {
    const backups = earlierObjects.filter(({ kind }) => kind === 'VMBackup').map((it) => vmBackups.parse(it));
    expect(backups.map((it) => [it.metadata.name, standingOf(it).kind, it.status?.chain?.position])).toEqual([
      ['full', 'Succeeded', 0],
      ['incremental', 'Succeeded', 1],
    ]);
  });
});

test.each<[string, object, object, string]>([
  ['a field that is gone', { properties: { a: {} } }, { properties: {} }, '.a: is gone'],
  ['a field that is required now', {}, { required: ['a'] }, '.a: is required now'],
  ['another type', { type: 'string' }, { type: 'integer' }, ': was string, is integer'],
  ['a value that is no longer taken', { enum: ['a', 'b'] }, { enum: ['a'] }, ': no longer takes b'],
  ['a choice where there was none', {}, { enum: ['a'] }, ': no longer takes anything'],
  ['a lower maximum', { maxLength: 9 }, { maxLength: 8 }, ': maxLength'],
  ['a minimum', { items: { minimum: 1 } }, { items: { minimum: 2 } }, '[]: minimum'],
  ['another default', { default: 1 }, { default: 2 }, ': has another default'],
])('%s is a narrowing', (_, before, after, said) => {
  expect(narrowings(before, after)).toEqual([said]);
});

test('what is added, or made wider, is none', () => {
  const before = { properties: { a: { enum: ['x'], maxLength: 3 } }, required: ['a'] };
  const after = { properties: { a: { enum: ['x', 'y'], maxLength: 4 }, b: {} } };
  expect(narrowings(before, after)).toEqual([]);
});
