import type { Kube, ListPage, Page, Selection } from './client.ts';
import { Conflict, Invalid, NotFound } from './errors.ts';
import { type Kind, type KubeObject, keyOf } from './kind.ts';
import { readPages } from './pages.ts';
import { parseObject } from './parse.ts';
import { collectionPath, objectPath } from './path.ts';
import type { KubeRequest, Transport } from './transport.ts';
import { applyRequest, deleteBody, readEvent, readPage, selectors, typed } from './wire.ts';

/** How long beyond its own time limit the server may take to end a watch, in milliseconds. */
const watchGraceMs = 30_000;

/**
 * All that the server says when a JSON patch does not apply, with 422; what breaks a schema is told otherwise.
 * Source: k8s.io/apimachinery pkg/api/errors, NewGenericServerResponse; seen on 1.37.
 */
const patchNotApplied = 'the server rejected our request due to an error in our request';

const pods = { apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true } as const;

/** The client over a transport: paths, verbs and content types of the Kubernetes API. */
export function kubeOver(transport: Transport): Kube {
  async function object<T extends KubeObject>(
    kind: Kind<T>,
    request: KubeRequest,
    signal: AbortSignal,
  ): Promise<T> {
    return parseObject(kind, await transport.send(request, signal));
  }

  async function listPage(
    kind: Kind,
    selection: Selection,
    page: Page,
    signal: AbortSignal,
  ): Promise<ListPage> {
    const query = { ...selectors(selection), limit: page.limit, continue: page.continue };
    const what = `list ${kind.plural}`;
    const path = collectionPath(kind, selection.namespace);
    const body = await transport.send({ what, method: 'GET', path, query }, signal);
    return readPage(what, body);
  }

  return {
    get(kind, ref, signal) {
      const what = `get ${kind.kind} ${keyOf(ref)}`;
      return object(kind, { what, method: 'GET', path: objectPath(kind, ref) }, signal);
    },

    async list(kind, selection, signal) {
      const { items } = await readPages((page) => listPage(kind, selection, page, signal));
      return items.map((item) => parseObject(kind, item));
    },

    create(kind, desired, signal) {
      const what = `create ${kind.kind} ${keyOf(desired.metadata)}`;
      const path = collectionPath(kind, desired.metadata.namespace);
      return object(kind, { what, method: 'POST', path, body: typed(kind, desired) }, signal);
    },

    async rehearse(kind, desired, signal) {
      const what = `create ${kind.kind} ${keyOf(desired.metadata)}`;
      const path = collectionPath(kind, desired.metadata.namespace);
      const query = { dryRun: 'All' };
      await transport.send({ what, method: 'POST', path, query, body: typed(kind, desired) }, signal);
    },

    async delete(kind, ref, options, signal) {
      const what = `delete ${kind.kind} ${keyOf(ref)}`;
      const body = deleteBody(options);
      try {
        await transport.send({ what, method: 'DELETE', path: objectPath(kind, ref), body }, signal);
      } catch (error) {
        if (!(error instanceof NotFound)) throw error;
      }
    },

    apply(kind, desired, options, signal) {
      const what = `apply ${kind.kind} ${keyOf(desired.metadata)}`;
      const path = objectPath(kind, desired.metadata);
      return object(kind, { ...applyRequest(what, path, options), body: typed(kind, desired) }, signal);
    },

    applyStatus(kind, ref, status, options, signal) {
      const what = `apply the status of ${kind.kind} ${keyOf(ref)}`;
      const path = objectPath(kind, ref, 'status');
      const { namespace, name, resourceVersion } = ref;
      const body = typed(kind, { metadata: { namespace, name, resourceVersion }, status });
      return object(kind, { ...applyRequest(what, path, options), body }, signal);
    },

    async patch(kind, ref, operations, signal) {
      const what = `patch ${kind.kind} ${keyOf(ref)}`;
      const contentType = 'application/json-patch+json';
      const path = objectPath(kind, ref);
      try {
        return await object(kind, { what, method: 'PATCH', path, contentType, body: operations }, signal);
      } catch (error) {
        if (!(error instanceof Invalid) || !error.message.includes(patchNotApplied)) throw error;
        const message = `Cannot ${what}: the object has changed, so a test of the patch failed. Read it again.`;
        throw new Conflict('Conflict', message, { status: 422, cause: error });
      }
    },

    put(path, body, options, signal) {
      return transport.send({ what: `PUT ${path}`, method: 'PUT', path, body, ...options }, signal);
    },

    async podLog(ref, { tailLines }, signal) {
      const path = objectPath(pods, ref, 'log');
      const what = `read the log of Pod ${keyOf(ref)}`;
      return String(
        await transport.send({ what, method: 'GET', path, query: { tailLines }, answer: 'text' }, signal),
      );
    },

    listPage,

    async *watch(kind, selection, options, signal) {
      const what = `watch ${kind.plural}`;
      const query = { ...selectors(selection), watch: true, allowWatchBookmarks: true, ...options };
      const path = collectionPath(kind, selection.namespace);
      const timeoutMs = options.timeoutSeconds * 1000 + watchGraceMs;
      for await (const line of transport.stream({ what, method: 'GET', path, query, timeoutMs }, signal)) {
        yield readEvent(what, line);
      }
    },
  };
}
