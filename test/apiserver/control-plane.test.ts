import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';

describe('a control plane', () => {
  let cluster: ControlPlane;

  beforeAll(async () => {
    cluster = await startControlPlane({ controllerManager: true });
  });
  afterAll(async () => await cluster.stop());

  test('says which Kubernetes it is', async () => {
    expect(await cluster.kubectl(['version'])).toMatch(/^Server Version: v1\.\d+\.\d+$/m);
  });

  test('refuses a user whom no role names', async () => {
    const kubeconfig = await cluster.kubeconfigFor({ user: 'eve/x', groups: ['strangers'] });
    await expect(cluster.kubectl(['get', 'pods'], { kubeconfig })).rejects.toMatchObject({
      reason: 'CommandFailed',
      message: expect.stringContaining('User "eve/x" cannot list resource "pods"'),
    });
  });

  test('gives a group the rights that are bound to it', async () => {
    const kubeconfig = await cluster.kubeconfigFor({ user: 'ann', groups: ['readers', 'others'] });
    await cluster.kubectl([
      'create',
      'clusterrolebinding',
      'readers',
      '--clusterrole=view',
      '--group=readers',
    ]);
    expect(await cluster.kubectl(['auth', 'can-i', 'list', 'pods'], { kubeconfig })).toBe('yes\n');
  });

  test('makes the default service account of a new namespace, through its controllers', async () => {
    await cluster.kubectl(['create', 'namespace', 'fresh']);
    await expect
      .poll(() => cluster.kubectl(['get', 'serviceaccounts', '-n', 'fresh', '-o', 'name']), {
        timeout: 30_000,
      })
      .toBe('serviceaccount/default\n');
  });

  test('gives a service account a token with its own rights and no others', async () => {
    await cluster.kubectl(['create', 'serviceaccount', 'agent']);
    await cluster.kubectl(['create', 'role', 'maps', '--verb=list', '--resource=configmaps']);
    await cluster.kubectl(['create', 'rolebinding', 'maps', '--role=maps', '--serviceaccount=default:agent']);
    const kubeconfig = await cluster.serviceAccountKubeconfig('default', 'agent', { expirationSeconds: 600 });

    expect(
      await cluster.kubectl(['auth', 'whoami', '-o', 'jsonpath={.status.userInfo.username}'], { kubeconfig }),
    ).toBe('system:serviceaccount:default:agent');
    await cluster.kubectl(['get', 'configmaps'], { kubeconfig });
    await expect(cluster.kubectl(['get', 'secrets'], { kubeconfig })).rejects.toThrow(
      'cannot list resource "secrets"',
    );
  });

  test('gives no token for an account that does not exist', async () => {
    await expect(cluster.serviceAccountKubeconfig('default', 'nobody')).rejects.toMatchObject({
      reason: 'RequestRefused',
      message: expect.stringContaining('"nobody" not found'),
    });
  });

  test('keeps its objects when etcd and the API server are killed and started again', async () => {
    await cluster.kubectl(['apply', '-f', '-'], {
      stdin: JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: 'kept' },
        data: { a: 'b' },
      }),
    });
    await cluster.kill('kube-apiserver');
    expect(cluster.processes().map(({ name }) => name)).toEqual(['etcd', 'kube-controller-manager']);
    await expect(cluster.kubectl(['get', 'configmap', 'kept'])).rejects.toThrow('was refused');

    await cluster.restart('kube-apiserver');
    await cluster.restart('etcd');
    expect(await cluster.kubectl(['get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}'])).toBe('b');
  });
});

test('two control planes at once know nothing of each other', async () => {
  const [one, other] = await Promise.all([startControlPlane(), startControlPlane()]);
  await using both = new AsyncDisposableStack();
  both.use(one);
  both.use(other);
  await one.kubectl(['create', 'namespace', 'mine']);
  expect(await one.kubectl(['get', 'namespaces', '-o', 'name'])).toContain('namespace/mine\n');
  expect(await other.kubectl(['get', 'namespaces', '-o', 'name'])).not.toContain('namespace/mine\n');
});

describe('stopping', () => {
  test('leaves no process, no port and no directory', async () => {
    const cluster = await startControlPlane();
    const { server, dir } = cluster;
    const pids = cluster.processes().map(({ pid }) => pid);
    expect(pids.map(isAlive)).toEqual([true, true]);
    expect(await isListening(server)).toBe(true);

    await cluster.stop();
    expect(pids.map(isAlive)).toEqual([false, false]);
    expect(await isListening(server)).toBe(false);
    expect(existsSync(dir)).toBe(false);
    await cluster.stop();
  });

  test('is done by the kernel when the process that started the cluster is killed', async () => {
    const module = new URL('../support/control-plane/control-plane.ts', import.meta.url).href;
    const program = `
      const { startControlPlane } = await import(${JSON.stringify(module)});
      const cluster = await startControlPlane();
      console.log(JSON.stringify({ dir: cluster.dir, pids: cluster.processes().map(({ pid }) => pid) }));
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const first = await createInterface(child.stdout)[Symbol.asyncIterator]().next();
    const { dir, pids } = z
      .object({ dir: z.string(), pids: z.array(z.number()) })
      .parse(JSON.parse(String(first.value)));
    expect(pids.map(isAlive)).toEqual([true, true]);

    // A process that nobody has reaped yet still has its place in /proc, and so still counts as the owner.
    const reaped = once(child, 'exit');
    child.kill('SIGKILL');
    await reaped;
    await expect.poll(() => pids.map(isAlive), { timeout: 10_000 }).toEqual([false, false]);

    await using next = await startControlPlane();
    expect(existsSync(next.dir)).toBe(true);
    expect(existsSync(dir), 'the next cluster removes what the killed one left').toBe(false);
  });
});

/** Whether a process runs: one that has ended and waits for its parent to notice (a zombie) does not. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function isListening(server: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(Number(new URL(server).port), '127.0.0.1', () => resolve(true)).on('error', () =>
    resolve(false),
  );
  return await promise.finally(() => socket.destroy());
}
