import { describe, expect, test } from 'vitest';
import type { Kube } from '../../../src/kube/client.ts';
import { Forbidden, NotFound } from '../../../src/kube/errors.ts';
import { credentialsOf } from '../../../src/node-agent/repository/credentials.ts';

const cifs = { server: 'nas', share: 'vms', version: '3.1.1', encrypt: false, secretName: 'nas' } as const;
const cephfs = { monitors: ['mon'], path: '/', user: 'tidemark', secretName: 'ceph' };
const { signal } = new AbortController();

/** An API server that has one Secret, or answers with an error. */
function kubeWith(data: Readonly<Record<string, string>> | Error): Pick<Kube, 'get'> {
  const get = async (_: unknown, ref: { readonly namespace?: string; readonly name: string }) => {
    expect(ref.namespace).toBe('tidemark-system');
    if (data instanceof Error) throw data;
    const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')]);
    return { metadata: { name: ref.name, uid: 's' }, data: Object.fromEntries(encoded) };
  };
  return { get } as unknown as Kube;
}

const read = (where: Parameters<typeof credentialsOf>[0], data: Readonly<Record<string, string>> | Error) =>
  credentialsOf(where, kubeWith(data), 'tidemark-system')?.(signal);

describe('the credentials of a repository', () => {
  test('are none for NFS', () => {
    expect(credentialsOf({ local: { path: '/srv' } }, kubeWith({}), 'tidemark-system')).toBeUndefined();
  });

  test('of a share are what mount.cifs wants in its file', async () => {
    const data = { username: 'backup', password: 'p "a$s`s,=w\\ord', domain: 'CORP' };
    expect(await read({ cifs }, data)).toEqual([
      'username=backup',
      'password=p "a$s`s,=w\\ord',
      'domain=CORP',
    ]);
    expect(await read({ cifs }, { username: 'b', password: 'p\n' })).toEqual(['username=b', 'password=p']);
  });

  test('of CephFS are the key alone', async () => {
    expect(await read({ cephfs }, { key: 'AQD...==' })).toEqual(['AQD...==']);
  });

  test.each([
    ['SecretNotFound', new NotFound('NotFound', 'gone'), "no Secret 'nas' in namespace 'tidemark-system'"],
    ['SecretForbidden', new Forbidden('Forbidden', 'no'), 'give them a Role'],
    ['SecretInvalid', { username: 'b' }, "no value for the key 'password'"],
    ['SecretInvalid', { username: 'b', password: 'p\nip=10.0.0.1' }, 'must be a single line'],
  ])('that cannot be used are told, and never shown: %s', async (reason, data, sentence) => {
    const failure = await read({ cifs }, data)?.catch((error: unknown) => error);
    expect(failure).toMatchObject({ reason, message: expect.stringContaining(sentence) });
    expect(String(failure)).not.toContain('ip=');
  });
});
