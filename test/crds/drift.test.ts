import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { generatedFiles, staleFiles } from '../../hack/generate/files.ts';

const root = join(import.meta.dirname, '../..');
const files = await generatedFiles(root);

describe('generated files are committed as they would be generated now', () => {
  test.each([...files])('%s', async (path, text) => {
    expect(await readFile(join(root, path), 'utf8'), "run 'npm run generate'").toBe(text);
  });
});

test('deploy/crds holds what is generated and nothing else', async () => {
  const generated = [...files.keys()].filter((path) => path.startsWith('deploy/crds/'));
  const there = (await readdir(join(root, 'deploy/crds'))).map((name) => `deploy/crds/${name}`);
  expect(there.sort()).toEqual(generated.sort());
});

test('generating twice gives the same bytes', async () => {
  expect([...(await generatedFiles(root))]).toEqual([...files]);
});

test('a file that was edited by hand, and one that is missing, are named', async () => {
  const copy = await mkdtemp(join(tmpdir(), 'tidemark-drift-'));
  onTestFinished(() => rm(copy, { recursive: true }));
  for (const path of ['deploy/samples', 'deploy/rbac', 'charts/tidemark/values.yaml'])
    await cp(join(root, path), join(copy, path), { recursive: true });
  for (const [path, text] of files) {
    await mkdir(dirname(join(copy, path)), { recursive: true });
    await writeFile(join(copy, path), text);
  }
  expect(await staleFiles(copy)).toEqual([]);
  await writeFile(join(copy, 'docs/api.md'), 'mine');
  await rm(join(copy, 'deploy/crds/vmbackups.yaml'));
  expect(await staleFiles(copy)).toEqual(['deploy/crds/vmbackups.yaml', 'docs/api.md']);
});
