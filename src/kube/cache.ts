import type { Logger } from 'pino';
import type { Change } from './change.ts';
import type { Kube, Selection } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { Unreadable } from './errors.ts';
import { deepFreeze } from './freeze.ts';
import { indexBy } from './index-by.ts';
import { type Kind, type KubeObject, keyOf, type Ref } from './kind.ts';
import { identify, parseObject } from './parse.ts';
import { reflect } from './reflector.ts';

/** All objects of a selection, kept up to date. What it returns is frozen, and may be some moments old. */
export interface Cache<T extends KubeObject> {
  readonly kind: Kind<T>;
  /** Resolves after the first complete list; rejects with the signal's reason if stopped before. */
  readonly synced: Promise<void>;
  /** Resolves when the cache has stopped. */
  readonly stopped: Promise<void>;
  /** One object; undefined if it does not exist. Throws Unreadable if it exists and does not fit its schema. */
  get(ref: Ref | string): T | undefined;
  /** All readable objects, or those that pass. See `unreadable` for the others. */
  list(where?: (object: T) => boolean): readonly T[];
  /** The objects that exist and cannot be read, by key. Each is logged once. */
  unreadable(): ReadonlyMap<string, Unreadable>;
  /** A view by values computed from each object; objects enter and leave it as they change. */
  indexBy(values: (object: T) => Iterable<string>): (value: string) => readonly T[];
  /** Calls for every object that is there now, and then for every change. The result ends the subscription. */
  onChange(handler: (change: Change<T>) => void): () => void;
  health(): CacheHealth;
}

export interface CacheHealth {
  readonly synced: boolean;
  /** Milliseconds since the server last said anything; a healthy watch hears a bookmark about each minute. */
  readonly silentForMs: number;
  /** What went wrong last, until the next success. */
  readonly error: string | undefined;
}

export interface CacheOptions<T extends KubeObject> {
  readonly kube: Kube;
  readonly kind: Kind<T>;
  readonly selection?: Selection;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

interface Entry<T> {
  readonly resourceVersion: string;
  readonly content: T | Unreadable;
}

/** Starts to list and watch; goes on through every error until the signal aborts. */
export function startCache<T extends KubeObject>(options: CacheOptions<T>, signal: AbortSignal): Cache<T> {
  const { kind, clock = systemClock } = options;
  const log = options.log.child({ cache: kind.plural });
  const entries = new Map<string, Entry<T>>();
  const handlers = new Set<(change: Change<T>) => void>();
  const sync = Promise.withResolvers<void>();
  // Whoever awaits it gets the rejection; nobody has to.
  sync.promise.catch(() => {});
  const health = { synced: false, heardAt: clock.now(), error: undefined as string | undefined };

  function store(key: string, entry: Entry<T> | undefined): void {
    const old = entries.get(key);
    if (old?.resourceVersion === entry?.resourceVersion) return;
    if (entry === undefined) entries.delete(key);
    else entries.set(key, entry);
    if (entry?.content instanceof Unreadable) log.error({ key }, entry.content.message);
    const change = { key, old: readable(old), new: readable(entry) };
    for (const handler of handlers) tell(handler, change, log);
  }

  function onChange(handler: (change: Change<T>) => void): () => void {
    for (const [key, entry] of entries) tell(handler, { key, old: undefined, new: readable(entry) }, log);
    handlers.add(handler);
    return () => handlers.delete(handler);
  }

  function read(raw: unknown): readonly [key: string, entry: Entry<T>] {
    const identity = identify(kind, raw);
    return [keyOf(identity), { resourceVersion: identity.resourceVersion, content: parse(kind, raw) }];
  }

  const stopped = reflect(
    {
      kube: options.kube,
      kind,
      selection: options.selection ?? {},
      clock,
      random: options.random ?? Math.random,
      replace(items) {
        const fresh = new Map(items.map(read));
        for (const key of entries.keys()) if (!fresh.has(key)) store(key, undefined);
        for (const [key, entry] of fresh) store(key, entry);
        health.synced = true;
        sync.resolve();
      },
      upsert(item) {
        store(...read(item));
      },
      remove(item) {
        store(keyOf(identify(kind, item)), undefined);
      },
      heard() {
        health.heardAt = clock.now();
        health.error = undefined;
      },
      failed(error, retryInMs) {
        health.error = error instanceof Error ? error.message : String(error);
        log.warn({ err: error, retryInMs }, 'list or watch failed');
      },
    },
    signal,
  ).finally(() => sync.reject(signal.reason));

  return {
    kind,
    synced: sync.promise,
    stopped,
    get(ref) {
      const content = entries.get(typeof ref === 'string' ? ref : keyOf(ref))?.content;
      if (content instanceof Unreadable) throw content;
      return content;
    },
    list(where = () => true) {
      return [...entries.values()].map(readable).filter((it): it is T => it !== undefined && where(it));
    },
    unreadable() {
      const all = [...entries].map(([key, { content }]) => [key, content] as const);
      return new Map(all.filter((it): it is readonly [string, Unreadable] => it[1] instanceof Unreadable));
    },
    indexBy: (values) => indexBy(values, onChange),
    onChange,
    health: () => ({ synced: health.synced, silentForMs: clock.now() - health.heardAt, error: health.error }),
  };
}

function readable<T>(entry: Entry<T> | undefined): T | undefined {
  return entry === undefined || entry.content instanceof Unreadable ? undefined : entry.content;
}

function parse<T extends KubeObject>(kind: Kind<T>, raw: unknown): T | Unreadable {
  try {
    return deepFreeze(parseObject(kind, raw));
  } catch (error) {
    if (error instanceof Unreadable) return error;
    throw error;
  }
}

/** A handler that throws must not stop the cache, nor keep the change from the others. */
function tell<T>(handler: (change: Change<T>) => void, change: Change<T>, log: Logger): void {
  try {
    handler(change);
  } catch (error) {
    log.error({ err: error, key: change.key }, 'a change handler threw');
  }
}
