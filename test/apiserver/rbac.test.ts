import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';

/** What the shipped roles allow, asked by the accounts themselves. */

const deploy = join(import.meta.dirname, '../../deploy');
const system = 'tidemark-system';

let cluster: ControlPlane;
const kubeconfigs = new Map<string, string>();

beforeAll(async () => {
  cluster = await startControlPlane();
  for (const path of ['namespace.yaml', 'crds', 'rbac']) {
    await cluster.kubectl(['apply', '--server-side', '-f', join(deploy, path)]);
  }
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=30s']);
  for (const account of ['tidemark-controller', 'tidemark-node-agent']) {
    kubeconfigs.set(account, await cluster.serviceAccountKubeconfig(system, account));
  }
});
afterAll(() => cluster?.stop());

/** kubectl as a service account. */
async function as(account: string, args: readonly string[], stdin = ''): Promise<string> {
  const kubeconfig = kubeconfigs.get(account) ?? '';
  return await cluster.kubectl(args, { kubeconfig, stdin });
}

/**
 * Asks the API server as the account itself (authorization.k8s.io/v1 SelfSubjectAccessReview), which needs no such
 * resource to exist.
 *
 * @param request `<verb> <group, or core> <resource>[/<subresource>] <namespace, or * for all> [<name>]`
 */
async function may(account: string, request: string): Promise<string> {
  const [verb, group, path = '', namespace, name] = request.split(' ');
  const [resource, subresource] = path.split('/');
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {
      resourceAttributes: {
        verb,
        group: group === 'core' ? '' : group,
        resource,
        subresource,
        namespace: namespace === '*' ? '' : namespace,
        name,
      },
    },
  };
  const output = ['-o', 'jsonpath={.status.allowed}'];
  // kubectl would look at the CRDs to validate, which the account may not.
  return await as(account, ['create', '--validate=false', '-f', '-', ...output], JSON.stringify(review));
}

describe('the node agent', () => {
  const agent = 'tidemark-node-agent';

  test('writes the status of a backup, and nothing else of it', async () => {
    const object = {
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMBackup',
      metadata: { name: 'b', namespace: 'default' },
      spec: { vmName: 'web', repository: 'nas' },
    };
    await cluster.kubectl(['create', '-f', '-'], { stdin: JSON.stringify(object) });
    const { spec: _, ...head } = object;
    const status = { execution: { attempt: 1, agent: 'n1', startedAt: '2026-01-01T00:00:00Z' } };
    const apply = ['apply', '--server-side', '--field-manager=tidemark-node-agent', '-f', '-'];
    await as(agent, [...apply, '--subresource=status'], JSON.stringify({ ...head, status }));
    expect(await as(agent, ['get', 'tmb', 'b', '-o', 'jsonpath={.status.execution.agent}'])).toBe('n1');

    const labelled = { ...head, metadata: { ...head.metadata, labels: { a: 'b' } } };
    await expect(as(agent, apply, JSON.stringify(labelled))).rejects.toThrow(
      /cannot patch resource "vmbackups" in API group "backup.tidemark.dev"/,
    );
  });

  test('keeps its Lease with server-side apply', async () => {
    const lease = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name: 'agent-n1', namespace: system },
      spec: { holderIdentity: 'n1' },
    };
    for (const holderIdentity of ['n1', 'n1-again']) {
      const next = JSON.stringify({ ...lease, spec: { holderIdentity } });
      await as(agent, ['apply', '--server-side', '-f', '-'], next);
    }
    expect(await cluster.kubectl(['get', 'lease', '-n', system, 'agent-n1', '-o', 'name'])).toContain(
      'agent-n1',
    );
  });
});

const allowed: Readonly<Record<string, readonly string[]>> = {
  'tidemark-node-agent': [
    'watch backup.tidemark.dev vmbackups *',
    'watch backup.tidemark.dev vmbackuprepositories *',
    'patch backup.tidemark.dev vmbackups/status vms',
    'list kubevirt.io virtualmachineinstances *',
    'get kubevirt.io virtualmachines vms',
    'update subresources.kubevirt.io virtualmachineinstances/freeze vms',
    'update subresources.kubevirt.io virtualmachineinstances/unfreeze vms',
    'watch core pods *',
    'get core persistentvolumeclaims vms',
    'get cdi.kubevirt.io datavolumes vms',
    'get apps controllerrevisions vms',
    'get instancetype.kubevirt.io virtualmachineclusterpreferences *',
    'create events.k8s.io events vms',
  ],
  'tidemark-controller': [
    'get cdi.kubevirt.io datavolumes vms',
    'get apps controllerrevisions vms',
    'create apps controllerrevisions vms',
    'patch apps controllerrevisions vms',
    'delete apps controllerrevisions vms',
    'get instancetype.kubevirt.io virtualmachineclusterpreferences *',
    'create backup.tidemark.dev vmbackups vms',
    'patch backup.tidemark.dev vmbackups vms',
    'delete backup.tidemark.dev vmbackups vms',
    'watch backup.tidemark.dev vmbackupschedules *',
    'patch backup.tidemark.dev vmbackups/status vms',
    'patch backup.tidemark.dev vmbackupschedules/status vms',
    'patch backup.tidemark.dev vmrestores/status vms',
    'watch backup.tidemark.dev vmbackuplistings *',
    'patch backup.tidemark.dev vmbackuplistings/status vms',
    'delete backup.tidemark.dev vmbackuplistings vms',
    'patch backup.tidemark.dev vmbackuprepositories/status *',
    'watch kubevirt.io virtualmachines *',
    'watch kubevirt.io virtualmachineinstances *',
    'patch kubevirt.io virtualmachines vms',
    'watch core persistentvolumeclaims *',
    'create core persistentvolumeclaims vms',
    'create batch jobs vms',
    'get core pods/log vms',
    'list core events vms',
    'get core namespaces * kube-system',
    'get core namespaces * default',
    'watch coordination.k8s.io leases tidemark-system',
    'create events.k8s.io events vms',
  ],
};

const denied: Readonly<Record<string, readonly string[]>> = {
  'tidemark-node-agent': [
    'create backup.tidemark.dev vmbackups vms',
    'patch backup.tidemark.dev vmbackuprepositories/status *',
    'list kubevirt.io virtualmachines *',
    'update kubevirt.io virtualmachineinstances vms',
    'update subresources.kubevirt.io virtualmachineinstances/stop vms',
    'create core pods/exec vms',
    'delete core pods vms',
    'list core persistentvolumeclaims vms',
    'get core secrets vms',
    'get core pods vms',
    'get coordination.k8s.io leases tidemark-system',
    'delete coordination.k8s.io leases tidemark-system',
    'patch coordination.k8s.io leases kube-system',
  ],
  'tidemark-controller': [
    'delete backup.tidemark.dev vmbackupschedules vms',
    'update subresources.kubevirt.io virtualmachineinstances/freeze vms',
    'get core secrets vms',
    'create core pods vms',
    'create core pods/exec vms',
    'delete kubevirt.io virtualmachines vms',
    'patch core persistentvolumeclaims vms',
    'get batch jobs vms',
    'patch batch jobs vms',
    'list core namespaces *',
    'list coordination.k8s.io leases kube-system',
  ],
};

describe.each(['tidemark-node-agent', 'tidemark-controller'])('%s', (account) => {
  test.each(allowed[account] ?? [])('may %s', async (request) => {
    expect(await may(account, request)).toBe('true');
  });

  test.each(denied[account] ?? [])('may not %s', async (request) => {
    expect(await may(account, request)).toBe('false');
  });
});
