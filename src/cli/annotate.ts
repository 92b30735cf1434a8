import type { Kube } from '../kube/client.ts';
import type { Kind, KubeObject } from '../kube/kind.ts';

/** Says a wish by an annotation with a new value, as `kubectl annotate --overwrite` would. */
export async function annotate<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  { metadata: { namespace, name, uid } }: T,
  annotation: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<T> {
  const metadata = { namespace, name, uid, annotations: annotation };
  return await kube.apply(kind, { metadata }, { fieldManager: 'kubectl-tidemark', force: true }, signal);
}
