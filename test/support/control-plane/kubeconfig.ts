import { writeFile } from 'node:fs/promises';
import { base64, type KeyPair } from './certificates.ts';

/** How a kubeconfig proves who it is. */
export type Credential =
  | { readonly kind: 'certificate'; readonly pair: KeyPair }
  | { readonly kind: 'token'; readonly token: string };

/** Writes a kubeconfig with everything inlined, readable by its owner only; returns its path. */
export async function writeKubeconfig(
  path: string,
  server: string,
  caCertificate: string,
  credential: Credential,
): Promise<string> {
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      { name: 'test', cluster: { server, 'certificate-authority-data': await base64(caCertificate) } },
    ],
    users: [{ name: 'test', user: await user(credential) }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'test' } }],
  };
  await writeFile(path, JSON.stringify(config, null, 2), { mode: 0o600 }); // every JSON text is YAML
  return path;
}

async function user(credential: Credential): Promise<Readonly<Record<string, string>>> {
  if (credential.kind === 'token') return { token: credential.token };
  return {
    'client-certificate-data': await base64(credential.pair.certificate),
    'client-key-data': await base64(credential.pair.key),
  };
}
