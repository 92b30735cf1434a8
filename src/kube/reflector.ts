import { type Backoff, backoffMs } from './backoff.ts';
import type { Kube, Selection } from './client.ts';
import { type Clock, sleep } from './clock.ts';
import { KubeError, TooManyRequests, Unreachable } from './errors.ts';
import type { Kind } from './kind.ts';
import { readPages } from './pages.ts';
import { identify } from './parse.ts';

/** What a reflector needs, and whom it tells. Objects are told unparsed. */
export interface Reflection {
  readonly kube: Kube;
  readonly kind: Kind;
  readonly selection: Selection;
  readonly clock: Clock;
  readonly random: () => number;
  /** This is all there is. */
  replace(items: readonly unknown[]): void;
  upsert(item: unknown): void;
  remove(item: unknown): void;
  /** The server answered. */
  heard(): void;
  failed(error: unknown, retryInMs: number): void;
}

const backoff: Backoff = { baseMs: 500, maxMs: 30_000 };

/** A watch that ends sooner, without having said anything, counts as failed. In milliseconds. */
const shortestWatchMs = 5_000;

/** A watch lasts between five and ten minutes, at random, so that not all end together. In seconds. */
const watchSeconds = 300;

/**
 * Lists and watches one kind until the signal aborts, whatever happens; then resolves.
 *
 *     list ──► watch ──► (its time is over) ──► watch …
 *      ▲         ├─ connection cut, 429 ──► wait ──► watch from the last version
 *      └─ wait ◄─┴─ anything else: 410, 500, 403, garbage …
 *
 * The waits grow with each failure in a row. client-node's informer is not used: it stops for good on most of these.
 */
export async function reflect(reflection: Reflection, signal: AbortSignal): Promise<void> {
  const { clock, random } = reflection;
  let version: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      version ??= await listAll(reflection, signal);
      for await (const reached of watchFrom(reflection, version, signal)) {
        version = reached;
        failures = 0;
      }
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof Unreachable || error instanceof TooManyRequests)) version = undefined;
      failures += 1;
      const askedMs = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
      const retryInMs = Math.max(askedMs, backoffMs(failures, backoff, random));
      reflection.failed(error, retryInMs);
      await sleep(clock, retryInMs, signal).catch(() => {});
    }
  }
}

/** Lists everything; returns the version to watch from. */
async function listAll(reflection: Reflection, signal: AbortSignal): Promise<string> {
  const { kube, kind, selection } = reflection;
  const { items, resourceVersion } = await readPages((page) => kube.listPage(kind, selection, page, signal));
  reflection.heard();
  reflection.replace(items);
  return resourceVersion;
}

/** Watches once; yields each version that it reaches. */
async function* watchFrom(reflection: Reflection, from: string, signal: AbortSignal): AsyncGenerator<string> {
  const { kube, kind, selection, clock, random } = reflection;
  const options = { resourceVersion: from, timeoutSeconds: Math.round(watchSeconds * (1 + random())) };
  const begunAt = clock.now();
  let events = 0;
  for await (const event of kube.watch(kind, selection, options, signal)) {
    reflection.heard();
    switch (event.kind) {
      case 'Opened':
        continue;
      case 'Upserted':
        reflection.upsert(event.object);
        yield identify(kind, event.object).resourceVersion;
        break;
      case 'Deleted':
        reflection.remove(event.object);
        yield identify(kind, event.object).resourceVersion;
        break;
      case 'Bookmark':
        yield event.resourceVersion;
        break;
    }
    events += 1;
  }
  if (events === 0 && clock.now() - begunAt < shortestWatchMs) {
    throw new Unreachable('WatchClosed', `Cannot watch ${kind.plural}: the server ends the watch at once.`);
  }
}
