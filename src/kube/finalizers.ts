import type { JsonPatch, Kube } from './client.ts';
import type { Kind, KubeObject } from './kind.ts';

/**
 * Puts a finalizer on an object, unless it is there. Do so before the first effect outside the cluster, or
 * deletion leaks it. Throws Conflict if the object changed its finalizers, or is another one by now: read it again.
 */
export async function addFinalizer<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const now = object.metadata.finalizers ?? [];
  if (now.includes(finalizer)) return;
  const path = '/metadata/finalizers';
  // An absent list equals null in the server's JSON patch.
  const test: JsonPatch = { op: 'test', path, value: now.length === 0 ? null : now };
  const add: JsonPatch = { op: 'add', path, value: [...now, finalizer] };
  await kube.patch(kind, object.metadata, [...sameObject(object), test, add], signal);
}

/** Takes our finalizer off, and never another's. Throws Conflict as {@link addFinalizer} does. */
export async function removeFinalizer<T extends KubeObject>(
  kube: Kube,
  kind: Kind<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<void> {
  const at = object.metadata.finalizers?.indexOf(finalizer) ?? -1;
  if (at < 0) return;
  const path = `/metadata/finalizers/${at}`;
  const test: JsonPatch = { op: 'test', path, value: finalizer };
  await kube.patch(kind, object.metadata, [...sameObject(object), test, { op: 'remove', path }], signal);
}

function sameObject(object: KubeObject): readonly JsonPatch[] {
  const { uid } = object.metadata;
  return uid === undefined ? [] : [{ op: 'test', path: '/metadata/uid', value: uid }];
}
