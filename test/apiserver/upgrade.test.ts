import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { vmBackups } from '../../src/crds/vmbackup.ts';
import { connectKube } from '../../src/kube/connect.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { EARLIER, earlierObjects } from '../support/upgrade/earlier.ts';

/** A cluster in which an earlier commit was installed, and whose CRDs are then replaced by today's. */
describe('the CRDs of today, over objects of before', () => {
  let cluster: ControlPlane;
  // As their owners would write them: without what the API server made up.
  const objects = earlierObjects.map(({ kind, metadata: { name, namespace }, spec, status }) => ({
    apiVersion: 'backup.tidemark.dev/v1alpha1',
    kind,
    metadata: { name, namespace },
    spec,
    status,
  }));
  const names = objects.map(({ kind, metadata }) => [kind, metadata.name, metadata] as const);

  const give = (args: readonly string[], object: object): Promise<string> =>
    cluster.kubectl([...args, '-f', '-'], { stdin: JSON.stringify(object) });
  const crds = async (directory: string): Promise<void> => {
    await cluster.kubectl(['apply', '--server-side', '-f', directory]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  };

  beforeAll(async () => {
    cluster = await startControlPlane();
    await crds(join(EARLIER, 'crds'));
    await cluster.kubectl(['create', 'namespace', 'shop']);
    for (const object of objects) {
      await give(['create'], object);
      await give(['replace', '--subresource=status'], object);
    }
    await crds(join(import.meta.dirname, '../../deploy/crds'));
  });
  afterAll(() => cluster?.stop());

  const at = (namespace: string | undefined): readonly string[] =>
    namespace === undefined ? [] : ['-n', namespace];

  test.each(names)('%s %s is as it was, and may be written to', async (kind, name, { namespace }) => {
    const get = [...at(namespace), 'get', kind, name, '-o', 'json'];
    const found = JSON.parse(await cluster.kubectl(get)) as object;
    const { spec, status } = objects.find((it) => it.kind === kind && it.metadata.name === name) ?? {};
    expect(found).toMatchObject({ spec, status });
    await cluster.kubectl([...at(namespace), 'annotate', kind, name, 'example.com/touched=yes']);
  });

  test.each(names)('what made %s %s makes it still', async (kind, name) => {
    const found = objects.find((it) => it.kind === kind && it.metadata.name === name);
    const metadata = { ...found?.metadata, name: `${name}-again` };
    await give(['create', '--dry-run=server'], { ...found, metadata, status: undefined });
  });

  test('our client reads them', async () => {
    const kube = connectKube({ kubeconfigPath: cluster.kubeconfigPath, userAgent: 'test' });
    const found = await kube.list(vmBackups, { namespace: 'shop' }, new AbortController().signal);
    expect(found.map(({ metadata, status }) => [metadata.name, status?.phase])).toEqual([
      ['full', 'Succeeded'],
      ['incremental', 'Succeeded'],
    ]);
  });
});
