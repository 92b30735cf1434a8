import type { Change } from './change.ts';
/** What brings keys into a controller's queue. */
export interface Source {
  /** Resolves when all that exists is known; rejects if the source is stopped before. */
  readonly synced: Promise<void>;
  /** Calls for each key, those that exist first. The result ends the subscription. */
  subscribe(enqueue: (key: string) => void): () => void;
}

/** What of a cache a source needs. */
export interface Watched<T> {
  readonly synced: Promise<void>;
  onChange(handler: (change: Change<T>) => void): () => void;
}

/**
 * Every change in a cache, mapped to the keys that it concerns; the object's own key if no mapping is given.
 * The mapping sees the object before and after, so a moved reference wakes both its targets.
 */
export function watching<T>(
  cache: Watched<T>,
  keys: (change: Change<T>) => Iterable<string> = (change) => [change.key],
): Source {
  return {
    synced: cache.synced,
    subscribe: (enqueue) =>
      cache.onChange((change) => {
        for (const key of keys(change)) enqueue(key);
      }),
  };
}

/** A source for what no object tells: a child process that ended, a local timer. */
export class Trigger implements Source {
  readonly synced: Promise<void> = Promise.resolve();
  readonly #subscribers = new Set<(key: string) => void>();

  subscribe(enqueue: (key: string) => void): () => void {
    this.#subscribers.add(enqueue);
    return () => this.#subscribers.delete(enqueue);
  }

  /** Reconcile this key now. */
  fire(key: string): void {
    for (const enqueue of this.#subscribers) enqueue(key);
  }
}
