import { expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { pick } from '../../../src/cli/report/pick.ts';
import { reportText } from '../../../src/cli/report/text.ts';
import { LEFT_OUT, withoutSecrets } from '../../../src/cli/report/without-secrets.ts';

test('what may be secret is left out, wherever it stands; names of Secrets stay', () => {
  const object = {
    metadata: { name: 'db', managedFields: [{}], annotations: { 'example.com/token': 'abc', note: 'kept' } },
    spec: { volumes: [{ cloudInitNoCloud: { userData: 'passwd: x', secretRef: { name: 'ci' } } }] },
  };
  expect(withoutSecrets(object)).toEqual({
    metadata: { name: 'db', annotations: { 'example.com/token': LEFT_OUT, note: 'kept' } },
    spec: { volumes: [{ cloudInitNoCloud: { userData: LEFT_OUT, secretRef: { name: 'ci' } } }] },
  });
});

test('of an object only the picked fields stay', () => {
  const vm = {
    metadata: { name: 'db', annotations: { a: 'b' } },
    spec: { volumes: [{ name: 'root', cloudInitNoCloud: { userData: 'x' } }, { name: 'data' }], domain: {} },
  };
  expect(pick(['metadata.name', 'spec.volumes.name'])(vm)).toEqual({
    metadata: { name: 'db' },
    spec: { volumes: [{ name: 'root' }, { name: 'data' }] },
  });
});

test('the text is YAML: contents first, then the parts, and a part that was refused says so', () => {
  const text = reportText(
    [
      { title: 'VMBackups', objects: [{ metadata: { name: 'a' } }] },
      { title: 'Pods', objects: [], problem: 'forbidden' },
    ],
    { at: '2026-11-23T18:00:00Z' },
  );
  const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown);
  expect(documents).toEqual([
    { report: { at: '2026-11-23T18:00:00Z' }, contents: ['VMBackups: 1', 'Pods: not read. forbidden'] },
    [{ metadata: { name: 'a' } }],
    [],
  ]);
});
