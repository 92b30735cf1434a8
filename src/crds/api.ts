import { z } from 'zod';

/** The API group of every kind that Tidemark owns. */
export const GROUP = 'backup.tidemark.dev';
/** The one version served and stored today. */
export const VERSION = 'v1alpha1';
/** `apiVersion` of every Tidemark object. */
export const API_VERSION = `${GROUP}/${VERSION}`;

/** Metadata that Tidemark reads from any object; the API server guarantees the rest of its shape. */
export const ObjectMeta = z.object({
  name: z.string(),
  namespace: z.string().optional(),
  uid: z.string(),
  resourceVersion: z.string().optional(),
  generation: z.int().optional(),
  creationTimestamp: z.string().optional(),
  deletionTimestamp: z.string().optional(),
  labels: z.record(z.string(), z.string()).optional(),
  annotations: z.record(z.string(), z.string()).optional(),
  finalizers: z.array(z.string()).optional(),
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
    .optional(),
});
export type ObjectMeta = z.infer<typeof ObjectMeta>;

/**
 * What a client must know to read one kind: where it is served, and how to parse it.
 * `parse` throws a `ZodError` for an object of another shape.
 */
export interface KindOf<T> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly plural: string;
  readonly namespaced: boolean;
  readonly parse: (raw: unknown) => T;
}

/** Describes a kind by the schema of its objects. */
export function kindOf<S extends z.ZodType>(
  names: Omit<KindOf<unknown>, 'parse'>,
  schema: S,
): KindOf<z.output<S>> {
  return { ...names, parse: (raw) => schema.parse(raw) };
}

/** A CEL rule for the API server, with the sentence that the user reads when it refuses an object. */
export function cel(...rules: readonly { rule: string; message: string }[]): Record<string, unknown> {
  return { 'x-kubernetes-validations': rules };
}

/** A list that server-side apply merges by the given keys. */
export function listMap(...keys: readonly string[]): Record<string, unknown> {
  return { 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': keys };
}

/** A list that has one owner and is replaced as a whole. */
export const listAtomic = { 'x-kubernetes-list-type': 'atomic' };

/** A list in which each value stands once. */
export const listSet = { 'x-kubernetes-list-type': 'set' };

/** A short machine-readable word, in PascalCase: the same in condition, event, metric label and log. */
export const Reason = z.string().max(64);
/** A sentence for people. */
export const Message = z.string().max(1024);
/** An RFC 3339 time in UTC. */
export const Time = z.string().max(64).meta({ format: 'date-time' });
/** A count of bytes. */
export const Bytes = z.int().min(0);
/** The name of a Kubernetes object. */
export const ObjectName = z.string().min(1).max(253);
/** The name of a volume in a VM's template. */
export const VolumeName = z.string().min(1).max(63);
