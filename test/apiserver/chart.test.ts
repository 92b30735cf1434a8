import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { CHART, chartTools, EVERYTHING, helm, render } from '../support/chart/helm.ts';
import { writeSchemas } from '../support/chart/schemas.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { run } from '../support/control-plane/run.ts';

const KUBELET = [
  ...['--set', 'repositoryMount=kubelet,repositories[0].name=nas'],
  ...['--set', 'repositories[0].nfs.server=nas.example.com,repositories[0].nfs.path=/exports/tidemark'],
];
const SYSTEM = 'tidemark-system';

let cluster: ControlPlane;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-chart-'));
  cluster = await startControlPlane({ controllerManager: true });
  await cluster.kubectl(['apply', '--server-side', '-f', join(await chartTools(), 'crds')]);
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
});
afterAll(async () => {
  await cluster?.stop();
  await rm(directory, { recursive: true, force: true });
});

describe('the chart', () => {
  test.each([
    ['as it is', []],
    ['with everything', EVERYTHING],
    ['with the kubelet mounting', KUBELET],
  ])('%s satisfies helm lint', async (_, flags) => {
    expect(await helm(['lint', '--strict', CHART, ...flags])).toContain('0 chart(s) failed');
  });

  test.each([
    ['everything', EVERYTHING],
    ['kubelet', KUBELET],
  ])('renders as it did: %s', async (name, flags) => {
    const documents = (await render('--set', 'crds.install=false', ...flags)).split(/^---\n/m);
    // Rules come from deploy/rbac, and are compared with it below.
    const shown = documents.filter((text) => !/^kind: (Cluster)?Role$/m.test(text));
    await expect(shown.join('---\n')).toMatchFileSnapshot(`../golden/chart/${name}.yaml`);
  });

  test.each([
    ['repositoryMount=magic', "value must be one of 'agent', 'kubelet'"],
    ['repositoryMount=kubelet', 'minItems: got 0, want 1'],
    ['image.digest=latest', 'does not match pattern'],
    ['controler.replicas=3', "additional properties 'controler' not allowed"],
    ['nodeAgent.terminationGracePeriodSeconds=5', 'minimum: got 5, want 40'],
  ])('refuses %s, and says why', async (value, why) => {
    await expect(render('--set', value)).rejects.toThrow(why);
  });

  test('renders nothing that the schemas of this Kubernetes do not know', async () => {
    const schemas = await writeSchemas(
      join(directory, 'schemas'),
      await cluster.kubectl(['get', '--raw', '/openapi/v2']),
    );
    const judge = async (manifests: string) => {
      const flags = ['-strict', '-summary', '-schema-location', schemas, '-output', 'json', '-'];
      return await run(join(await chartTools(), 'kubeconform'), flags, { stdin: manifests });
    };
    const answer = await judge(`${await render(...EVERYTHING)}\n${await render(...KUBELET)}`);
    expect(JSON.parse(answer)).toMatchObject({
      resources: [],
      summary: { invalid: 0, errors: 0, skipped: 0 },
    });
    const typo = (await render()).replace('maxUnavailable: 10%', 'maxUnavailble: 10%');
    await expect(judge(typo)).rejects.toThrow(/maxUnavailble/);
  });

  test('renders the roles that deploy/rbac has', async () => {
    const rules = (text: string) =>
      new Map(
        parseAllDocuments(text)
          .map(
            (document) =>
              (document.toJS() ?? {}) as { kind?: string; metadata: { name: string }; rules?: unknown },
          )
          .filter(({ kind }) => kind === 'Role' || kind === 'ClusterRole')
          .map(({ kind, metadata, rules }) => [`${kind} ${metadata.name}`, rules]),
      );
    const written = await run('sh', [
      '-c',
      `for f in ${CHART}/../../deploy/rbac/*; do cat $f; echo ---; done`,
    ]);
    expect(rules(await render())).toEqual(rules(written));
  });
});

describe('on a real API server', () => {
  const install = (verb: readonly string[], ...flags: readonly string[]) =>
    helm([...verb, 'tidemark', CHART, '-n', SYSTEM, ...flags], cluster.kubeconfigPath);
  const get = async (what: string, path: string) =>
    await cluster.kubectl(['get', '-n', SYSTEM, ...what.split(' '), '-o', `jsonpath=${path}`]);

  test('it installs, upgrades and goes, and leaves the backups that there are', async () => {
    await install(['install'], '--create-namespace');
    expect(await get('deployment tidemark-controller', '{.spec.replicas}')).toBe('2');
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '-l', '!nothing', '--timeout=30s']);
    const backup = {
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMBackup',
      metadata: { name: 'kept', namespace: 'default' },
      spec: { vmName: 'web', repository: 'nas' },
    };
    await cluster.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(backup) });

    await install(['upgrade'], ...EVERYTHING, '--set', 'controller.replicas=3,image.tag=0.2.0');
    expect(await get('deployment tidemark-controller', '{.spec.replicas}')).toBe('3');
    const image = '{.spec.template.spec.containers[0].image}';
    expect(await get('daemonset tidemark-node-agent', image)).toBe('ghcr.io/tidemark/tidemark:0.2.0');
    expect(await get('prometheusrule tidemark', '{.spec.groups[0].name}')).toBe('tidemark');

    await install(['upgrade'], ...KUBELET);
    expect(
      await get('daemonset tidemark-node-agent', '{.spec.template.spec.containers[0].securityContext}'),
    ).toBe(
      '{"allowPrivilegeEscalation":false,"capabilities":{"drop":["ALL"]},"readOnlyRootFilesystem":true,"runAsGroup":0,"runAsNonRoot":true,"runAsUser":107}',
    );

    await helm(['uninstall', 'tidemark', '-n', SYSTEM, '--wait'], cluster.kubeconfigPath);
    expect(await cluster.kubectl(['get', 'tmb', 'kept', '-o', 'name'])).toContain('kept');
    const ours = ['-l', 'app.kubernetes.io/name=tidemark', '-o', 'name'];
    const kinds =
      'deployment,daemonset,serviceaccount,role,rolebinding,clusterrole,clusterrolebinding,priorityclass';
    expect(await cluster.kubectl(['get', kinds, '-A', ...ours])).toBe('');

    // A cluster in which the CRDs stayed takes the chart again.
    await install(['install']);
    expect(await get('deployment tidemark-controller', '{.spec.replicas}')).toBe('2');
    await helm(['uninstall', 'tidemark', '-n', SYSTEM, '--wait'], cluster.kubeconfigPath);
  });

  test('deploy applies as a kustomization, and means the same', async () => {
    await cluster.kubectl(['apply', '-k', join(CHART, '../../deploy')]);
    expect(await get('daemonset tidemark-node-agent', '{.spec.template.spec.shareProcessNamespace}')).toBe(
      'true',
    );
    await cluster.kubectl(['delete', '-k', join(CHART, '../../deploy'), '--wait=false']);
  });
});
