import { isDeepStrictEqual } from 'node:util';
import type { Kube } from './client.ts';
import { Conflict } from './errors.ts';
import { type Kind, type KubeObject, keyOf } from './kind.ts';

type WithStatus = KubeObject & { readonly status?: object | undefined };
type StatusOf<T extends WithStatus> = NonNullable<T['status']>;

/** One of the writers of a kind's status. Writers own disjoint fields. */
export interface StatusWriter<T extends WithStatus> {
  readonly fieldManager: string;
  /** The top-level fields of the status that this writer owns, all of them. */
  readonly fields: readonly (keyof StatusOf<T>)[];
}

/** Others may change the object while we write; so often, then we let the next reconcile look at it. */
const attempts = 5;

/**
 * Writes this writer's part of a status: one request in the normal case, and none if the object says all that
 * already. A field of the writer that is left out is removed. Resolves to the object as it wrote it, or nothing.
 *
 * @param object as it was read. If it is gone by now, this throws NotFound; if another one has its name, Conflict
 *   with the reason `Replaced`: what we know is not about that one.
 */
export async function writeStatus<T extends WithStatus>(
  kube: Kube,
  kind: Kind<T>,
  object: T,
  desired: Partial<StatusOf<T>>,
  writer: StatusWriter<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const wanted = owned<T>(desired, writer);
  if (isDeepStrictEqual(asJson(wanted), asJson(owned<T>(object.status ?? {}, writer)))) return undefined;
  // The fields are this writer's own: force takes them back from whoever edited the status by hand.
  const options = { fieldManager: writer.fieldManager, force: true };
  let { metadata } = object;
  for (let attempt = 1; ; attempt++) {
    try {
      return await kube.applyStatus(kind, metadata, wanted, options, signal);
    } catch (error) {
      // Changed meanwhile: that does not matter if it was another's field of the same object.
      if (!(error instanceof Conflict) || attempt === attempts) throw error;
      metadata = await sameObject(kube, kind, object, signal);
    }
  }
}

async function sameObject<T extends WithStatus>(
  kube: Kube,
  kind: Kind<T>,
  object: T,
  signal: AbortSignal,
): Promise<KubeObject['metadata']> {
  const { metadata } = await kube.get(kind, object.metadata, signal);
  if (metadata.uid === object.metadata.uid) return metadata;
  const what = `${kind.kind} ${keyOf(metadata)}`;
  throw new Conflict(
    'Replaced',
    `${what} was deleted and made anew: the status of the old one was not written.`,
  );
}

function owned<T extends WithStatus>(status: Partial<StatusOf<T>>, writer: StatusWriter<T>): object {
  return Object.fromEntries(writer.fields.map((field) => [field, status[field]]));
}

/** As the server will see it: without undefined members. */
function asJson(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
