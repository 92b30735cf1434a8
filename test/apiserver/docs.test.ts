import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { run } from '../support/control-plane/run.ts';

const ROOT = join(import.meta.dirname, '../..');

/** All that is written for people. */
async function allPages(): Promise<readonly string[]> {
  const docs = await readdir(join(ROOT, 'docs'), { recursive: true });
  const pages = docs.filter((name) => name.endsWith('.md')).map((name) => join('docs', name));
  return ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', ...pages];
}

/** Every YAML block, with the page that it stands on. */
async function yamlBlocks(
  pages: readonly string[],
): Promise<readonly (readonly [page: string, yaml: string])[]> {
  const blocks = await Promise.all(
    pages.map(async (page) => {
      const text = await readFile(join(ROOT, page), 'utf8');
      return [...text.matchAll(/^```yaml\n(.*?)^```/gms)].map((match) => [page, match[1] ?? ''] as const);
    }),
  );
  return blocks.flat();
}

/** For Flux and Argo CD, which are tried against the CRDs of their own. */
async function gitopsSamples(): Promise<readonly (readonly [file: string, yaml: string])[]> {
  const files = await readdir(join(ROOT, 'deploy/gitops'));
  return await Promise.all(
    files.map(async (name) => {
      const file = join('deploy/gitops', name);
      return [file, await readFile(join(ROOT, file), 'utf8')] as const;
    }),
  );
}

describe('what the documentation says', async () => {
  const blocks = [...(await yamlBlocks(await allPages())), ...(await gitopsSamples())];
  let cluster: ControlPlane;

  beforeAll(async () => {
    cluster = await startControlPlane();
    const gitops = (await run(join(ROOT, 'hack/setup/gitops-crds.sh'), ['where'])).trim();
    for (const crds of [join(ROOT, 'deploy/crds'), gitops])
      await cluster.kubectl(['apply', '--server-side', '-f', crds]);
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
    const answer = await cluster.kubectl(
      ['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'],
      { stdin: yaml },
    );
    expect(answer).toContain('(server dry run)');
  });
});

describe('what the documentation points at', async () => {
  test.each(await allPages())(
    'every link of %s leads to a file, and to a heading, that is there',
    async (page) => {
      const text = await readFile(join(ROOT, page), 'utf8');
      const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)]*))?\)/g)];
      const missing = [];
      for (const [, file = '', anchor] of links) {
        const target = file === '' ? join(ROOT, page) : join(ROOT, page, '..', file);
        if (!(await leadsSomewhere(target, anchor)))
          missing.push(`${file}${anchor === undefined ? '' : `#${anchor}`}`);
      }
      expect(missing).toEqual([]);
    },
  );
});

async function leadsSomewhere(target: string, anchor: string | undefined): Promise<boolean> {
  if (anchor === undefined || !target.endsWith('.md')) return await exists(target);
  return (await exists(target)) && anchorsOf(await readFile(target, 'utf8')).includes(anchor);
}

/** As GitHub makes them of headings: https://docs.github.com/en/get-started/writing-on-github/getting-started-with-writing-and-formatting-on-github/basic-writing-and-formatting-syntax#section-links */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}
