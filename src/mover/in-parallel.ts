/**
 * Runs `work` on all items, at most `limit` at a time, and gives the results in the items' order. The first failure aborts the
 * others; it is thrown when all of them have ended, so nothing is under way any more.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  signal: AbortSignal,
  work: (item: T, signal: AbortSignal) => Promise<R>,
): Promise<R[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([signal, failed.signal]);
  const results = new Map<number, R>();
  const waiting = [...items.entries()];
  let first: { readonly error: unknown } | null = null;
  const lane = async (): Promise<void> => {
    for (let next = waiting.shift(); next && !first; next = waiting.shift()) {
      try {
        results.set(next[0], await work(next[1], either));
      } catch (error) {
        first ??= { error };
        failed.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, lane));
  const failure = first as { readonly error: unknown } | null;
  if (failure) throw failure.error;
  return items.map((_, index) => results.get(index)!);
}
