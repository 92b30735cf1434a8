import { describe, expect, test } from 'vitest';
import { crd } from '../../hack/generate/crd.ts';
import { kinds } from '../../hack/generate/kinds.ts';
import type { Structural } from '../../hack/generate/structural.ts';

interface Node {
  readonly path: string;
  readonly schema: Structural;
  /** Whether it is a named field, which a reader looks up, and not the item of a list. */
  readonly named: boolean;
}

function walk(path: string, schema: Structural, named: boolean): readonly Node[] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([name, member]) =>
    walk(`${path}.${name}`, member, true),
  );
  const items = schema.items ? walk(`${path}[]`, schema.items, false) : [];
  const values = schema.additionalProperties ? walk(`${path}.*`, schema.additionalProperties, false) : [];
  return [{ path, schema, named }, ...members, ...items, ...values];
}

/** Every node of `spec` and `status`. */
function nodes(kind: (typeof kinds)[number]): readonly Node[] {
  const { spec, status } = crd(kind).spec.versions[0].schema.openAPIV3Schema.properties ?? {};
  return [...(spec ? walk('spec', spec, true) : []), ...(status ? walk('status', status, true) : [])];
}

const paths = (found: readonly Node[]) => found.map(({ path }) => path);

describe.each(kinds.map((kind) => [kind.names.kind, kind] as const))('%s', (_, kind) => {
  const all = nodes(kind);

  test('has a spec and a status', () => {
    expect(paths(all)).toEqual(expect.arrayContaining(['spec', 'status']));
  });

  test('bounds every string', () => {
    const open = all.filter(({ schema: s }) => s.type === 'string' && s.maxLength === undefined && !s.enum);
    expect(paths(open)).toEqual([]);
  });

  test('bounds every list', () => {
    expect(paths(all.filter(({ schema: s }) => s.type === 'array' && s.maxItems === undefined))).toEqual([]);
  });

  test('bounds every map', () => {
    const open = all.filter(({ schema: s }) => s.additionalProperties && s.maxProperties === undefined);
    expect(paths(open)).toEqual([]);
  });

  test('says of every list how server-side apply merges it', () => {
    expect(paths(all.filter(({ schema: s }) => s.items && !s['x-kubernetes-list-type']))).toEqual([]);
  });

  test('describes every field in a sentence', () => {
    const mute = all.filter(
      ({ schema: s, named }) => named && !/^[A-Z0-9].*[.…]$/s.test(s.description ?? ''),
    );
    expect(paths(mute)).toEqual([]);
  });

  test('has no variant types', () => {
    expect(JSON.stringify(all.map(({ schema }) => schema))).not.toMatch(/"(oneOf|anyOf|allOf|not)":/);
  });

  test('tells in every rule what to write instead', () => {
    const rules = all.flatMap(({ schema }) => schema['x-kubernetes-validations'] ?? []);
    expect(rules).not.toEqual([]);
    for (const { message } of rules) expect(message.length).toBeGreaterThan(30);
  });

  test('prints only fields that exist', () => {
    const known = new Set(paths(all));
    const printed = kind.columns.map(({ jsonPath }) => jsonPath.slice(1).replace(/\[\?\(.*?\)\]/, '[]'));
    expect(printed.filter((path) => !path.startsWith('metadata.') && !known.has(path))).toEqual([]);
  });

  test('prints each field as what it is', () => {
    const types = new Map(
      all.map(({ path, schema: s }) => [path, s.format === 'date-time' ? 'date' : s.type]),
    );
    const odd = kind.columns
      .filter(({ name }) => name !== 'Age' && name !== 'Next') // Next lies in the future: see hack/generate/kinds.ts
      .filter(({ jsonPath, type }) => types.get(jsonPath.slice(1).replace(/\[\?\(.*?\)\]/, '[]')) !== type);
    expect(odd).toEqual([]);
  });

  test('selects only by fields that exist', () => {
    const known = new Set(paths(all));
    expect(kind.selectableFields.filter((path) => !known.has(path.slice(1)))).toEqual([]);
  });
});

test('short names are those that the documents name', () => {
  expect(kinds.map(({ names, shortName }) => [names.kind, shortName])).toEqual([
    ['VMBackupRepository', 'tmrepo'],
    ['VMBackup', 'tmb'],
    ['VMBackupSchedule', 'tmbs'],
    ['VMRestore', 'tmr'],
    ['VMBackupListing', 'tmbl'],
  ]);
});
