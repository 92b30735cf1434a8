import { type Backoff, backoffMs } from './backoff.ts';
import type { Clock } from './clock.ts';

export interface QueueOptions {
  /** How many keys are worked on at once. */
  readonly concurrency: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  /** A number in [0, 1). */
  readonly random: () => number;
}

/**
 * A queue of keys. A key is in it once, however often it was added; it is never worked on twice at once, and a key
 * that is added while it is worked on is worked on again afterwards. Level-triggered: the key says what to look
 * at, never what happened.
 */
export class Queue {
  readonly #options: QueueOptions;
  readonly #work: (key: string) => Promise<void>;
  /** In order of arrival. */
  readonly #ready = new Set<string>();
  readonly #delayed = new Map<string, { readonly dueAt: number; readonly cancel: () => void }>();
  readonly #running = new Set<string>();
  readonly #failures = new Map<string, number>();
  #stopped = false;
  #drained: () => void = () => {};

  /** @param work handles one key; it must not reject */
  constructor(options: QueueOptions, work: (key: string) => Promise<void>) {
    this.#options = options;
    this.#work = work;
  }

  /** Work on a key as soon as there is room; any delay it had is over. */
  add(key: string): void {
    if (this.#stopped) return;
    this.#delayed.get(key)?.cancel();
    this.#delayed.delete(key);
    this.#ready.add(key);
    this.#pump();
  }

  /** Work on a key after so many milliseconds. If it is due sooner already, that stands. */
  addAfter(key: string, ms: number): void {
    if (ms <= 0) return this.add(key);
    const { clock } = this.#options;
    const dueAt = clock.now() + ms;
    const earlier = this.#delayed.get(key);
    if (this.#stopped || this.#ready.has(key) || (earlier !== undefined && earlier.dueAt <= dueAt)) return;
    earlier?.cancel();
    this.#delayed.set(key, { dueAt, cancel: clock.after(ms, () => this.add(key)) });
  }

  /**
   * Work on a key that failed, after its backoff, but not before so many milliseconds.
   * Returns the delay in milliseconds.
   */
  retry(key: string, atLeastMs = 0): number {
    const failures = this.failures(key) + 1;
    this.#failures.set(key, failures);
    const ms = Math.max(atLeastMs, backoffMs(failures, this.#options.backoff, this.#options.random));
    this.addAfter(key, ms);
    return ms;
  }

  /** The key succeeded: its next backoff begins anew. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** How often the key failed in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  /** How many keys are ready, delayed and being worked on. */
  get depth(): { readonly ready: number; readonly delayed: number; readonly running: number } {
    return { ready: this.#ready.size, delayed: this.#delayed.size, running: this.#running.size };
  }

  /** Drops what waits, takes nothing more, and resolves when the running work has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { cancel } of this.#delayed.values()) cancel();
    this.#delayed.clear();
    this.#ready.clear();
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const others = this.#drained;
      this.#drained = () => {
        others();
        resolve();
      };
    });
  }

  #pump(): void {
    for (const key of this.#ready) {
      if (this.#running.size >= this.#options.concurrency) return;
      if (this.#running.has(key)) continue;
      this.#ready.delete(key);
      this.#running.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string): Promise<void> {
    // Begins when the caller has finished: a cache tells its changes one by one, and work should see them all.
    await Promise.resolve();
    try {
      await this.#work(key);
    } finally {
      this.#running.delete(key);
      if (this.#stopped && this.#running.size === 0) this.#drained();
      this.#pump();
    }
  }
}
