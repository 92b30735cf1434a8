import { KubeConfig } from '@kubernetes/client-node';
import type { Kube } from '../kube/client.ts';
import { connectKube } from '../kube/connect.ts';

/** Which cluster and namespace the user means. */
export interface ClusterChoice {
  /** A kubeconfig file; $KUBECONFIG, then ~/.kube/config, then the pod's service account when left out. */
  readonly kubeconfig?: string | undefined;
  /** A context of the kubeconfig, instead of its current one. */
  readonly context?: string | undefined;
  /** A namespace, instead of the context's. */
  readonly namespace?: string | undefined;
}

/** The API server, and the namespace that names without one mean. */
export interface Cluster {
  readonly kube: Kube;
  readonly namespace: string;
}

/** Opens the cluster that the user means. Sends nothing yet. Throws a KubeError with reason `NoCluster`. */
export function openCluster({ kubeconfig, context, namespace }: ClusterChoice): Cluster {
  // First, because it is the one that explains a kubeconfig that cannot be read.
  const kube = connectKube({ kubeconfigPath: kubeconfig, context, userAgent: 'kubectl-tidemark' });
  return { kube, namespace: namespace ?? contextNamespace(kubeconfig, context) };
}

function contextNamespace(kubeconfig: string | undefined, context: string | undefined): string {
  const config = new KubeConfig();
  if (kubeconfig === undefined) config.loadFromDefault();
  else config.loadFromFile(kubeconfig);
  const chosen = config.getContextObject(context ?? config.getCurrentContext());
  return chosen?.namespace || 'default';
}
