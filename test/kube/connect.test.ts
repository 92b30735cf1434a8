import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { connectKube } from '../../src/kube/connect.ts';

const kubeconfig = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Config',
  clusters: [{ name: 'c', cluster: { server: 'https://127.0.0.1:1' } }],
  users: [{ name: 'u', user: { token: 't' } }],
  contexts: [{ name: 'there', context: { cluster: 'c', user: 'u' } }],
  'current-context': 'there',
});

let home: string;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'home-'));
  vi.stubEnv('HOME', home);
  vi.stubEnv('KUBECONFIG', '');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(home, { recursive: true });
});

function attempt(options: { kubeconfigPath?: string; context?: string }): unknown {
  try {
    return connectKube({ ...options, userAgent: 'test/1' });
  } catch (error) {
    return error;
  }
}

describe('connecting', () => {
  test('reads a kubeconfig file, or the one that KUBECONFIG names', async () => {
    const kubeconfigPath = join(home, 'config');
    await writeFile(kubeconfigPath, kubeconfig);
    expect(attempt({ kubeconfigPath })).toHaveProperty('get');
    expect(attempt({ kubeconfigPath, context: 'there' })).toHaveProperty('get');
    vi.stubEnv('KUBECONFIG', kubeconfigPath);
    expect(attempt({})).toHaveProperty('get');
  });

  test('says what to do when nothing is configured', () => {
    expect(attempt({})).toMatchObject({
      reason: 'NoCluster',
      message: expect.stringContaining('set KUBECONFIG'),
    });
  });

  test('names the file that it cannot read, or that is not a kubeconfig', async () => {
    const kubeconfigPath = join(home, 'absent');
    const words = { reason: 'NoCluster', message: expect.stringContaining(kubeconfigPath) };
    expect(attempt({ kubeconfigPath })).toMatchObject(words);
    await writeFile(kubeconfigPath, 'just: [words');
    expect(attempt({ kubeconfigPath })).toMatchObject(words);
  });

  test('names the context that the kubeconfig does not have', async () => {
    const kubeconfigPath = join(home, 'config');
    await writeFile(kubeconfigPath, kubeconfig);
    expect(attempt({ kubeconfigPath, context: 'elsewhere' })).toMatchObject({
      reason: 'NoCluster',
      message: expect.stringContaining('"elsewhere"'),
    });
  });
});
