import { isDeepStrictEqual } from 'node:util';
import type { Kube } from './client.ts';
import type { Kind, KubeObject } from './kind.ts';

type WithStatus = KubeObject & { readonly status?: object | undefined };
type StatusOf<T extends WithStatus> = NonNullable<T['status']>;

/** One of the writers of a kind's status. Writers own disjoint fields. */
export interface StatusWriter<T extends WithStatus> {
  readonly fieldManager: string;
  /** The top-level fields of the status that this writer owns, all of them. */
  readonly fields: readonly (keyof StatusOf<T>)[];
}

/**
 * Writes this writer's part of a status: at most one request, and none if the object says all that already.
 * A field of the writer that is left out is removed. Resolves to whether it wrote.
 *
 * @param object as it was read; a new object of the same name is never touched (throws Conflict), nor one that is gone
 *   (throws NotFound)
 */
export async function writeStatus<T extends WithStatus>(
  kube: Kube,
  kind: Kind<T>,
  object: T,
  desired: Partial<StatusOf<T>>,
  writer: StatusWriter<T>,
  signal: AbortSignal,
): Promise<boolean> {
  const wanted = owned<T>(desired, writer);
  if (isDeepStrictEqual(asJson(wanted), asJson(owned<T>(object.status ?? {}, writer)))) return false;
  // The fields are this writer's own: force takes them back from whoever edited the status by hand.
  const options = { fieldManager: writer.fieldManager, force: true };
  await kube.applyStatus(kind, object.metadata, wanted, options, signal);
  return true;
}

function owned<T extends WithStatus>(status: Partial<StatusOf<T>>, writer: StatusWriter<T>): object {
  return Object.fromEntries(writer.fields.map((field) => [field, status[field]]));
}

/** As the server will see it: without undefined members. */
function asJson(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
