import { z } from 'zod';

/**
 * What the runtime asks of every object it reads; a room's own type says more. All but the name is optional, so
 * that any zod schema of a Kubernetes object satisfies it.
 */
export interface KubeObject {
  readonly apiVersion?: string | undefined;
  readonly kind?: string | undefined;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string | undefined;
    readonly uid?: string | undefined;
    readonly resourceVersion?: string | undefined;
    readonly generation?: number | undefined;
    readonly finalizers?: readonly string[] | undefined;
  };
}

/**
 * One kind of object in one version, and how to read it. Structural on purpose: a room that may not import this
 * one (the API types) can still satisfy it.
 */
export interface Kind<T extends KubeObject = KubeObject> {
  /** `v1` for the core group, else `group/version`. */
  readonly apiVersion: string;
  readonly kind: string;
  /** The resource's name in URLs: lower case, plural. */
  readonly plural: string;
  readonly namespaced: boolean;
  /** Reads what the API server sent. Throws if it is not what the type says. */
  parse(raw: unknown): T;
}

/** Names one object of a kind that is known from the context. An object's `metadata` is one. */
export interface Ref {
  readonly namespace?: string | undefined;
  readonly name: string;
}

/** The metadata of an object as the API server returns it; what may be absent there has an empty default here. */
export const objectMeta = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string(),
  generation: z.number().default(0),
  labels: z.record(z.string(), z.string()).default({}),
  annotations: z.record(z.string(), z.string()).default({}),
  creationTimestamp: z.string(),
  deletionTimestamp: z.string().optional(),
  finalizers: z.array(z.string()).default([]),
  ownerReferences: z
    .array(
      z.object({
        apiVersion: z.string(),
        kind: z.string(),
        name: z.string(),
        uid: z.string(),
        controller: z.boolean().optional(),
      }),
    )
    .default([]),
});

/** The key of an object in queues and caches: `namespace/name`, or `name` if cluster-scoped. */
export function keyOf(ref: Ref): string {
  return ref.namespace === undefined ? ref.name : `${ref.namespace}/${ref.name}`;
}

/** The reverse of {@link keyOf}. */
export function refOf(key: string): Ref {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
