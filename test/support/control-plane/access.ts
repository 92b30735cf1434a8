import { join } from 'node:path';
import { type AdminApi, adminApi } from './api.ts';
import { createPki, issueClient, type KeyPair, type Pki, type Subject } from './certificates.ts';
import { writeKubeconfig } from './kubeconfig.ts';
import { requestToken, type TokenOptions } from './token.ts';

/** The ways into one cluster; kubeconfigs are paths. */
export interface Access {
  readonly pki: Pki;
  readonly api: AdminApi;
  readonly admin: string;
  readonly controllerManager: string;
  kubeconfigFor(subject: Subject): Promise<string>;
  serviceAccountKubeconfig(namespace: string, name: string, options?: TokenOptions): Promise<string>;
}

/** Makes a new cluster's certificates under `dir`, and the kubeconfigs that its own processes and its users need. */
export async function openAccess(dir: string, server: string): Promise<Access> {
  const pkiDir = join(dir, 'pki');
  const pki = await createPki(pkiDir);
  const forClient = async (name: string, pair: KeyPair): Promise<string> => {
    const path = join(dir, `${name}.kubeconfig`);
    return await writeKubeconfig(path, server, pki.ca.certificate, { kind: 'certificate', pair });
  };
  const [adminPair, managerPair] = await Promise.all([
    issueClient(pkiDir, 'admin', pki.ca, { user: 'admin', groups: ['system:masters'] }),
    issueClient(pkiDir, 'controller-manager', pki.ca, { user: 'system:kube-controller-manager' }),
  ]);
  const api = adminApi(server, pki.ca.certificate, adminPair);
  let issued = 0; // users may be called anything, file names may not
  return {
    pki,
    api,
    admin: await forClient('admin', adminPair),
    controllerManager: await forClient('controller-manager', managerPair),
    kubeconfigFor: async (subject) => {
      const name = `user-${++issued}`;
      return await forClient(name, await issueClient(pkiDir, name, pki.ca, subject));
    },
    serviceAccountKubeconfig: async (namespace, name, options) => {
      const token = await requestToken(api, namespace, name, options);
      const path = join(dir, `account-${++issued}.kubeconfig`);
      return await writeKubeconfig(path, server, pki.ca.certificate, { kind: 'token', token });
    },
  };
}
