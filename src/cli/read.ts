import type { Kube, Selection } from '../kube/client.ts';
import { Forbidden, KubeError, NotFound } from '../kube/errors.ts';
import type { Kind, KubeObject, Ref } from '../kube/kind.ts';

/** Reads all objects of a kind. Throws KubeError whose message says what the user can do. */
export async function listAll<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  selection: Selection,
  signal: AbortSignal,
): Promise<readonly T[]> {
  try {
    return await kube.list(kind, selection, signal);
  } catch (cause) {
    throw explained(cause, kind);
  }
}

/** Reads one object; undefined if it is not there, or if the user may not see it. */
export async function getIfVisible<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  ref: Ref,
  signal: AbortSignal,
): Promise<T | undefined> {
  try {
    return await kube.get(kind, ref, signal);
  } catch (error) {
    if (error instanceof NotFound || error instanceof Forbidden) return undefined;
    throw error;
  }
}

/** A list is NotFound only if the API server does not know the kind. */
function explained(cause: unknown, { kind, apiVersion }: Kind): unknown {
  if (!(cause instanceof NotFound)) return cause;
  const group = apiVersion.split('/')[0] ?? '';
  const product = group.endsWith('tidemark.dev') ? "Tidemark's CRDs" : 'KubeVirt';
  const message = `This cluster has no ${kind} (${apiVersion}): install ${product}, or choose another --context.`;
  return new KubeError('NotInstalled', message, { cause });
}
