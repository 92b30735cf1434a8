import { z } from 'zod';
import { BadResponse, Unreadable } from './errors.ts';
import { type Kind, type KubeObject, keyOf } from './kind.ts';

/** What identifies any object, readable or not. */
export interface Identity {
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly resourceVersion: string;
}

const identified = z.object({
  metadata: z.object({
    name: z.string().min(1),
    namespace: z.string().optional(),
    resourceVersion: z.string(),
  }),
});

/** The identity of an object as it came from the server. Throws BadResponse if it has none. */
export function identify(kind: Kind, raw: unknown): Identity {
  const read = identified.safeParse(raw);
  if (read.success) return read.data.metadata;
  throw new BadResponse(
    'BadResponse',
    `The API server sent a ${kind.kind} without a name or a resourceVersion.`,
  );
}

/** Parses one object. Throws Unreadable, saying which object and which fields do not fit. */
export function parseObject<T extends KubeObject>(kind: Kind<T>, raw: unknown): T {
  try {
    return kind.parse(raw);
  } catch (cause) {
    const { namespace, name } = identify(kind, raw);
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
    const message =
      `${kind.kind} ${keyOf({ namespace, name })} does not look like ${kind.apiVersion}: ${why}. ` +
      'Check that the CRD and this program are of the same release.';
    throw new Unreadable('Unreadable', message, { cause });
  }
}
