/** The same words about the same object are not repeated within this time, in milliseconds. */
const repeatAfterMs = 120_000;

/** An object may have so many events at once, … */
const burst = 10;

/** … and one more after each of these times, in milliseconds. */
const refillMs = 30_000;

interface Budget {
  readonly tokens: number;
  readonly at: number;
}

/** Decides which events are sent, so that a loop cannot flood the API server. */
export class Spacing {
  readonly #saidAt = new Map<string, number>();
  readonly #budgets = new Map<string, Budget>();

  /**
   * Whether this may be said now; if so, it counts as said.
   * @param about the object
   * @param words what makes two events the same
   * @param now milliseconds
   */
  admits(about: string, words: string, now: number): boolean {
    this.#forget(now);
    const key = `${about}\n${words}`;
    if (this.#saidAt.has(key)) return false;
    const before = this.#budgets.get(about) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, before.tokens + (now - before.at) / refillMs);
    if (tokens < 1) return false;
    this.#budgets.set(about, { tokens: tokens - 1, at: now });
    this.#saidAt.set(key, now);
    return true;
  }

  #forget(now: number): void {
    for (const [key, at] of this.#saidAt) {
      // In order of time, so the first young one ends it.
      if (now - at < repeatAfterMs) break;
      this.#saidAt.delete(key);
    }
    for (const [about, { at }] of this.#budgets) {
      if (now - at >= burst * refillMs) this.#budgets.delete(about);
    }
  }
}
