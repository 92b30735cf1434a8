import { join } from 'node:path';
import { auditFlags } from './audit.ts';
import type { Pki } from './certificates.ts';
import type { Ports } from './ports.ts';
import type { Command, ProcessName } from './process.ts';

/** Where one cluster lives. */
export interface Place {
  readonly dir: string;
  readonly binaries: string;
  readonly pki: Pki;
  readonly ports: Ports;
  /** The kubeconfig of system:kube-controller-manager. */
  readonly controllerManagerKubeconfig: string;
}

const issuer = 'https://kubernetes.default.svc.cluster.local';
const serviceRange = '10.96.0.0/16';

/** Everything in memory of the page cache: a throwaway cluster need not survive a power cut. */
export function etcd(place: Place): Command {
  const client = `http://127.0.0.1:${place.ports.etcd}`;
  const peer = `http://127.0.0.1:${place.ports.etcdPeer}`;
  return command(place, 'etcd', [
    `--data-dir=${join(place.dir, 'etcd')}`,
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=default=${peer}`,
    '--unsafe-no-fsync',
  ]);
}

/** As kubeadm would run it, but on loopback: Node and RBAC authorization, aggregation, signed service-account tokens. */
export function apiServer(place: Place): Command {
  const { pki, ports } = place;
  return command(place, 'kube-apiserver', [
    `--etcd-servers=http://127.0.0.1:${ports.etcd}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.server}`,
    // Nothing is reached through the `kubernetes` Service here, and a loopback address may not be advertised.
    '--advertise-address=198.51.100.1',
    '--endpoint-reconciler-type=none',
    `--tls-cert-file=${pki.server.certificate}`,
    `--tls-private-key-file=${pki.server.key}`,
    `--client-ca-file=${pki.ca.certificate}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    `--service-account-issuer=${issuer}`,
    `--service-account-key-file=${pki.serviceAccount.publicKey}`,
    `--service-account-signing-key-file=${pki.serviceAccount.privateKey}`,
    `--service-cluster-ip-range=${serviceRange}`,
    `--requestheader-client-ca-file=${pki.frontProxyCa.certificate}`,
    '--requestheader-allowed-names=front-proxy-client',
    '--requestheader-username-headers=X-Remote-User',
    '--requestheader-group-headers=X-Remote-Group',
    '--requestheader-extra-headers-prefix=X-Remote-Extra-',
    `--proxy-client-cert-file=${pki.frontProxyClient.certificate}`,
    `--proxy-client-key-file=${pki.frontProxyClient.key}`,
    ...auditFlags(place.dir),
  ]);
}

/** Every controller under its own account; no port of its own. */
export function controllerManager(place: Place): Command {
  const { pki, controllerManagerKubeconfig: kubeconfig } = place;
  return command(place, 'kube-controller-manager', [
    `--kubeconfig=${kubeconfig}`,
    '--secure-port=0',
    '--leader-elect=false',
    '--use-service-account-credentials=true',
    // It begins with a token for each of 40 controllers; at its usual 20 requests a second that takes 5 seconds.
    '--kube-api-qps=1000',
    '--kube-api-burst=1000',
    `--service-account-private-key-file=${pki.serviceAccount.privateKey}`,
    `--root-ca-file=${pki.ca.certificate}`,
    `--cluster-signing-cert-file=${pki.ca.certificate}`,
    `--cluster-signing-key-file=${pki.ca.key}`,
    `--service-cluster-ip-range=${serviceRange}`,
  ]);
}

function command(place: Place, name: ProcessName, args: readonly string[]): Command {
  return { name, program: join(place.binaries, name), args, logFile: join(place.dir, `${name}.log`) };
}
