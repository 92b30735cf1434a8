import { KubeConfig } from '@kubernetes/client-node';
import type { Kube } from './client.ts';
import { KubeError } from './errors.ts';
import { kubeOver } from './http-kube.ts';
import { httpTransport, type Transport } from './transport.ts';

export interface ConnectOptions {
  /** A kubeconfig file. If not given: $KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  readonly kubeconfigPath?: string | undefined;
  /** A context of the kubeconfig, instead of its current one. */
  readonly context?: string | undefined;
  /** Names this program in the API server's logs. */
  readonly userAgent: string;
  /** What stands between the client and the wire, the innermost first. */
  readonly through?: readonly ((transport: Transport) => Transport)[];
}

/** Makes a client. Sends nothing yet. Throws a KubeError with reason `NoCluster` if no API server is configured. */
export function connectKube(options: ConnectOptions): Kube {
  const wire = httpTransport(loadConfig(options), options.userAgent);
  return kubeOver((options.through ?? []).reduce((transport, wrap) => wrap(transport), wire));
}

function loadConfig(options: ConnectOptions): KubeConfig {
  const config = new KubeConfig();
  try {
    if (options.kubeconfigPath === undefined) config.loadFromDefault();
    else config.loadFromFile(options.kubeconfigPath);
  } catch (cause) {
    const where = options.kubeconfigPath ?? process.env['KUBECONFIG'] ?? 'the default places';
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new KubeError('NoCluster', `Cannot read the kubeconfig from ${where}: ${why}`, { cause });
  }
  if (options.context !== undefined) config.setCurrentContext(options.context);
  const cluster = config.getCurrentCluster();
  // With nothing configured, client-node falls back to http://localhost:8080.
  if (cluster === null || (cluster.server.startsWith('http:') && !cluster.skipTLSVerify)) {
    throw new KubeError(
      'NoCluster',
      cluster === null
        ? `The kubeconfig has no cluster for the context "${config.getCurrentContext()}": name one that it has.`
        : `No cluster is configured (${cluster.server} is not used without insecure-skip-tls-verify): ` +
            'set KUBECONFIG, write ~/.kube/config, or run in a pod with a service account.',
    );
  }
  return config;
}
