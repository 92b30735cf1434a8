import { z } from 'zod';
import type { ApplyOptions, DeleteOptions, ListPage, Selection, WatchEvent } from './client.ts';
import { BadResponse, errorFromStatus } from './errors.ts';
import type { Kind } from './kind.ts';
import type { KubeRequest } from './transport.ts';

// Bodies and parameters of the Kubernetes API.
// Source: https://kubernetes.io/docs/reference/using-api/api-concepts/

/** An object with the type that the server wants to see in it. */
export function typed(kind: Kind, object: object): object {
  return { ...object, apiVersion: kind.apiVersion, kind: kind.kind };
}

export function selectors(selection: Selection): { labelSelector?: string; fieldSelector?: string } {
  return {
    ...(selection.labelSelector === undefined ? {} : { labelSelector: selection.labelSelector }),
    ...(selection.fieldSelector === undefined ? {} : { fieldSelector: selection.fieldSelector }),
  };
}

/** Server-side apply: JSON is YAML, so a JSON body passes as apply-patch+yaml on every version. */
export function applyRequest(what: string, path: string, options: ApplyOptions): KubeRequest {
  return {
    what,
    method: 'PATCH',
    path,
    query: { fieldManager: options.fieldManager, force: options.force ?? false },
    contentType: 'application/apply-patch+yaml',
  };
}

export function deleteBody(options: DeleteOptions): object {
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    propagationPolicy: options.propagationPolicy,
    preconditions: options.uid === undefined ? undefined : { uid: options.uid },
  };
}

const listBody = z.object({
  metadata: z.object({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullish(),
});

/** Reads a list. Throws BadResponse. */
export function readPage(what: string, body: unknown): ListPage {
  const read = listBody.safeParse(body);
  if (!read.success) {
    throw new BadResponse('BadResponse', `Cannot ${what}: the answer is not a list.`, { cause: read.error });
  }
  const { metadata, items } = read.data;
  // An empty token means the same as none.
  return {
    items: items ?? [],
    resourceVersion: metadata.resourceVersion,
    continue: metadata.continue || undefined,
  };
}

const bookmark = z.object({ metadata: z.object({ resourceVersion: z.string() }) });
const watchLine = z.discriminatedUnion('type', [
  z.object({ type: z.enum(['ADDED', 'MODIFIED', 'DELETED']), object: z.unknown() }),
  z.object({ type: z.literal('BOOKMARK'), object: bookmark }),
  z.object({ type: z.literal('ERROR'), object: z.looseObject({ code: z.number().default(500) }) }),
]);

/**
 * Reads one line of a watch; undefined stands for its beginning. Throws what an ERROR line says (Expired above all), and
 * BadResponse for a line that is not of a watch.
 */
export function readEvent(what: string, line: unknown): WatchEvent {
  if (line === undefined) return { kind: 'Opened' };
  const read = watchLine.safeParse(line);
  if (!read.success) {
    throw new BadResponse('BadResponse', `Cannot ${what}: not a watch event.`, { cause: read.error });
  }
  const { type, object } = read.data;
  if (type === 'ERROR') throw errorFromStatus(what, object.code, object);
  if (type === 'BOOKMARK') return { kind: 'Bookmark', resourceVersion: object.metadata.resourceVersion };
  return { kind: type === 'DELETED' ? 'Deleted' : 'Upserted', object };
}
