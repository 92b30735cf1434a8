import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CHART, helm } from '../support/chart/helm.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { onNode } from '../support/control-plane/token.ts';

/** What the chart's admission policies refuse, tried with the tokens that pods would have. */

const SYSTEM = 'tidemark-system';
const NODES = ['node-1', 'node-2'] as const;
const kubevirtKinds = ['VirtualMachineBackup', 'VirtualMachineBackupTracker'];

let cluster: ControlPlane;
/** By node; '' is a token that names none. */
const agents = new Map<string, string>();

beforeAll(async () => {
  // Aggregates the roles.
  cluster = await startControlPlane({ controllerManager: true });
  await helm(
    [
      'install',
      'tidemark',
      CHART,
      '-n',
      SYSTEM,
      '--create-namespace',
      '--set',
      'admission.denyKubeVirtBackups=true',
    ],
    cluster.kubeconfigPath,
  );
  for (const kind of kubevirtKinds) await create(kubevirtCrd(kind));
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  for (const name of NODES) {
    await create({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
    agents.set(name, await cluster.serviceAccountKubeconfig(SYSTEM, 'tidemark-node-agent', onNode(name)));
    await create(backup(`on-${name}`));
    await status(`on-${name}`, { phase: 'Assigned', plan: plan(name) }, 'tidemark-controller');
  }
  agents.set('', await cluster.serviceAccountKubeconfig(SYSTEM, 'tidemark-node-agent'));
  // The API server takes a policy up some moments after it was made.
  await vi.waitFor(() => expect(lease('', 'too-early')).rejects.toThrow(/names none/), { timeout: 20_000 });
});
afterAll(() => cluster?.stop());

async function create(object: object, kubeconfig = cluster.kubeconfigPath): Promise<string> {
  return await cluster.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(object), kubeconfig });
}

function kubevirtCrd(kind: string): object {
  const plural = `${kind.toLowerCase()}s`;
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.backup.kubevirt.io`,
      annotations: { 'api-approved.kubernetes.io': 'unapproved, a stand-in' },
    },
    spec: {
      group: 'backup.kubevirt.io',
      names: { kind, plural, singular: kind.toLowerCase() },
      scope: 'Namespaced',
      versions: [{ name: 'v1alpha1', served: true, storage: true, schema }],
    },
  };
}

function backup(name: string): { readonly metadata: object } {
  return {
    apiVersion: 'backup.tidemark.dev/v1alpha1',
    kind: 'VMBackup',
    metadata: { name, namespace: 'default' },
    spec: { vmName: 'web', repository: 'nas' },
  } as { metadata: object };
}

function plan(nodeName: string): object {
  return {
    ...{ attempt: 1, nodeName, type: 'Full', reason: 'NoEarlierBackup', message: 'first' },
    ...{ chain: { id: 'c', position: 0 }, bitmap: 'backup-1', path: 'c/default/web/b', disks: [] },
  };
}

const execution = { attempt: 1, agent: 'x', startedAt: '2026-01-01T00:00:00Z' };

/** Applies a status as the agents do: server-side, to the subresource. */
async function status(name: string, status: object, manager: string, kubeconfig = cluster.kubeconfigPath) {
  const { spec: _, ...head } = backup(name) as { spec?: object };
  const flags = ['--server-side', '--force-conflicts', `--field-manager=${manager}`, '--subresource=status'];
  return await cluster.kubectl(['apply', ...flags, '-f', '-'], {
    stdin: JSON.stringify({ ...head, status }),
    kubeconfig,
  });
}

async function agentWrites(node: string, name: string, what: object): Promise<string> {
  return await status(name, what, 'tidemark-node-agent', agents.get(node));
}

async function lease(node: string, name: string): Promise<string> {
  const object = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace: SYSTEM },
    spec: { holderIdentity: node },
  };
  return await cluster.kubectl(['apply', '--server-side', '-f', '-'], {
    stdin: JSON.stringify(object),
    kubeconfig: agents.get(node) ?? '',
  });
}

describe('an agent, whose token names its node', () => {
  test('writes what it did for a backup of its node, again and again', async () => {
    await agentWrites('node-1', 'on-node-1', { execution });
    await agentWrites('node-1', 'on-node-1', {
      execution: { ...execution, completedAt: '2026-01-01T00:01:00Z' },
    });
    const found = await cluster.kubectl([
      'get',
      'tmb',
      'on-node-1',
      '-o',
      'jsonpath={.status.execution.completedAt}',
    ]);
    expect(found).toBe('2026-01-01T00:01:00Z');
  });

  test.each<[string, string, string, object, RegExp]>([
    ['a backup of another node', 'node-1', 'on-node-2', { execution }, /planned for another node/],
    [
      'the plan, to call a backup its own',
      'node-1',
      'on-node-2',
      { execution, plan: plan('node-1') },
      /planned for another node/,
    ],
    [
      'another place of the data',
      'node-1',
      'on-node-1',
      { execution, plan: { ...plan('node-1'), path: 'c/other/x' } },
      /nothing else/,
    ],
    ['a condition', 'node-1', 'on-node-1', { execution, size: '1Gi' }, /nothing else/],
    ['anything without a node in the token', '', 'on-node-1', { execution }, /names none/],
  ])('does not write %s', async (_, node, name, what, why) => {
    await expect(agentWrites(node, name, what)).rejects.toThrow(why);
  });

  test('keeps its own Lease, and no other', async () => {
    await lease('node-1', 'tidemark-agent-node-1');
    await expect(lease('node-1', 'tidemark-agent-node-2')).rejects.toThrow(
      /may not write the Lease of another/,
    );
    await expect(lease('node-1', 'tidemark-controller')).rejects.toThrow(
      /may not write the Lease of another/,
    );
  });
});

describe("KubeVirt's own backup", () => {
  const native = (vm: string, namespace: string, kind = 'VirtualMachineBackup') => ({
    ...{ apiVersion: 'backup.kubevirt.io/v1alpha1', kind, metadata: { generateName: 'x-', namespace } },
    spec: { source: { apiGroup: 'kubevirt.io', kind: 'VirtualMachine', name: vm } },
  });

  test.each(kubevirtKinds)('a %s of a VM that Tidemark backs up is refused, in words', async (kind) => {
    await expect(create(native('web', 'default', kind))).rejects.toThrow(
      /Tidemark backs up the VM web \(VMBackup on-node-/,
    );
  });

  test('of any other VM it is not', async () => {
    await create(native('other', 'default'));
    await create(native('web', 'kube-public'));
  });
});

describe('the users of one namespace', () => {
  let alice: string;
  beforeAll(async () => {
    for (const name of ['shop', 'bank'])
      await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await cluster.kubectl([
      'create',
      'rolebinding',
      'alice',
      '-n',
      'shop',
      '--clusterrole=edit',
      '--user=alice',
    ]);
    alice = await cluster.kubeconfigFor({ user: 'alice' });
    await vi.waitFor(async () => expect(await may('list', kinds[0]!, 'shop')).toBe('yes'), {
      timeout: 20_000,
    });
  });
  const may = async (verb: string, resource: string, namespace: string, ...flags: readonly string[]) =>
    (
      await cluster
        .kubectl(['auth', 'can-i', verb, resource, '-n', namespace, ...flags], { kubeconfig: alice })
        .catch(() => 'no')
    ).trim();
  const kinds = ['vmbackups', 'vmbackupschedules', 'vmrestores', 'vmbackuplistings'].map(
    (plural) => `${plural}.backup.tidemark.dev`,
  );

  test.each(kinds)('work with %s there, and see none elsewhere', async (kind) => {
    expect(await may('create', kind, 'shop')).toBe('yes');
    expect(await may('list', kind, 'shop')).toBe('yes');
    expect(await may('list', kind, 'bank')).toBe('no');
    expect(await may('create', kind, 'bank')).toBe('no');
  });

  test.each(kinds)('do not write the status of %s, which Tidemark believes', async (kind) => {
    expect(await may('patch', kind, 'shop', '--subresource=status')).toBe('no');
    expect(await may('update', kind, 'shop', '--subresource=status')).toBe('no');
  });

  test.each(['get', 'list', 'create', 'patch', 'delete'])('do not %s repositories', async (verb) => {
    expect(await may(verb, 'vmbackuprepositories.backup.tidemark.dev', 'shop')).toBe('no');
  });
});

describe('a path in a repository', () => {
  const restore = (path: string) => ({
    ...{ apiVersion: 'backup.tidemark.dev/v1alpha1', kind: 'VMRestore' },
    metadata: { generateName: 'r-', namespace: 'default' },
    spec: { source: { repositoryPath: { repository: 'nas', path } }, target: { newVM: { name: 'x' } } },
  });

  test.each([
    ...[
      '../c/shop/vm-1/b',
      'c/shop/vm-1/..',
      '/c/shop/vm-1/b',
      'c/shop/vm-1',
      'c/shop/../bank/b',
      'c//vm-1/b',
    ],
    ...[
      'c/shop/vm-1/b/../../x',
      'c/shop/vm-1/.incoming-b-1',
      'c/shop/vm-1/b\n',
      '$(id)/shop/vm-1/b',
      'c/shop/vm-1/b,ro',
    ],
  ])('that leads elsewhere is refused: %j', async (path) => {
    await expect(create(restore(path))).rejects.toThrow(/path is relative to the repository's root/);
  });

  test('that names one backup is taken; whether it may be restored here, the controller says', async () => {
    await create(restore('c/shop/vm-1a2b3c4d/20261123T020000Z-5e6f7a8b'));
  });

  test.each(['/exports/../etc', '/exports/..', 'exports', ''])('of an export is not %j', async (path) => {
    const spec = { nfs: { server: 'nas', path }, allowedNamespaces: ['shop'] };
    const head = { apiVersion: 'backup.tidemark.dev/v1alpha1', kind: 'VMBackupRepository' };
    await expect(create({ ...head, metadata: { name: 'bad' }, spec })).rejects.toThrow(/Invalid|invalid/);
  });

  test.each(['suid', 'exec', 'dev', 'nosuid,suid', 'hard,exec', 'addr=1.2.3.4', 'bg'])(
    'is not mounted with the option %j',
    async (option) => {
      const spec = {
        nfs: { server: 'nas', path: '/x', mountOptions: [option] },
        allowedNamespaces: ['shop'],
      };
      const head = { apiVersion: 'backup.tidemark.dev/v1alpha1', kind: 'VMBackupRepository' };
      await expect(create({ ...head, metadata: { name: 'bad' }, spec })).rejects.toThrow(/mountOptions/);
    },
  );
});

test('the manifests in deploy hold the same policy', async () => {
  await cluster.kubectl(['apply', '--dry-run=server', '-f', join(CHART, '../../deploy/admission')]);
});
