/** The request took longer than it may. */
export class DeadlineExceeded extends Error {
  override readonly name = 'DeadlineExceeded';
}

/**
 * A signal that aborts with the given one or after a time limit (milliseconds), whichever comes first. Dispose it, or it
 * stays attached to the given signal, which may live as long as the process.
 */
export function deadline(ms: number, signal: AbortSignal): Disposable & { readonly signal: AbortSignal } {
  const cut = new AbortController();
  const forward = (): void => cut.abort(signal.reason);
  const timer = setTimeout(() => cut.abort(new DeadlineExceeded(`no answer within ${ms / 1000} s`)), ms);
  if (signal.aborted) forward();
  else signal.addEventListener('abort', forward, { once: true });
  return {
    signal: cut.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      signal.removeEventListener('abort', forward);
    },
  };
}
