import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Every YAML block of the README and the docs, with the page that it stands on. */
async function yamlBlocks(): Promise<readonly (readonly [page: string, yaml: string])[]> {
  const docs = await readdir(join(ROOT, 'docs'), { recursive: true });
  const pages = [
    'README.md',
    ...docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name)),
  ];
  const blocks = await Promise.all(
    pages.map(async (page) => {
      const text = await readFile(join(ROOT, page), 'utf8');
      return [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map((match) => [page, match[1] ?? ''] as const);
    }),
  );
  return blocks.flat();
}

describe('what the documentation says', async () => {
  const blocks = await yamlBlocks();
  let cluster: ControlPlane;

  beforeAll(async () => {
    cluster = await startControlPlane();
    await cluster.kubectl(['apply', '--server-side', '-f', join(ROOT, 'deploy/crds')]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
    const namespaces = new Set(
      blocks.flatMap(([, yaml]) =>
        parseAllDocuments(yaml).map((object) => object.getIn(['metadata', 'namespace'])),
      ),
    );
    for (const name of namespaces) {
      if (typeof name === 'string' && name !== 'default')
        await cluster.kubectl(['create', 'namespace', name]);
    }
  });
  afterAll(() => cluster.stop());

  test('there is something to apply', () => {
    expect(blocks.length).toBeGreaterThanOrEqual(3);
  });

  test.each(blocks)('the API server takes the YAML in %s', async (_, yaml) => {
    const answer = await cluster.kubectl(['apply', '--dry-run=server', '-f', '-'], { stdin: yaml });
    expect(answer).toContain('(server dry run)');
  });
});

describe('what the documentation points at', () => {
  test.each(['README.md', 'docs/architecture.md'])(
    'every link of %s leads to a file that is there',
    async (page) => {
      const text = await readFile(join(ROOT, page), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g)].map(
        (match) => match[1] ?? '',
      );
      expect(links.length).toBeGreaterThan(3);
      const missing = [];
      for (const link of links) {
        if (!(await exists(join(ROOT, page, '..', link)))) missing.push(link);
      }
      expect(missing).toEqual([]);
    },
  );
});

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
