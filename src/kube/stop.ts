import type { Logger } from 'pino';

/** What of `process` we use. */
export interface SignalSource {
  on(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  off(signal: 'SIGTERM' | 'SIGINT', listener: () => void): unknown;
  exit(code: number): unknown;
}

/**
 * A signal that aborts at the first SIGTERM or SIGINT. If the process has not ended by itself after the grace time
 * (milliseconds), or at a second such signal, it exits with code 1.
 */
export function stopOnSignals(
  graceMs: number,
  log: Logger,
  source: SignalSource = process,
): Disposable & { readonly signal: AbortSignal } {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const giveUp = (why: string): void => {
    log.error(why);
    source.exit(1);
  };
  const onSignal = (): void => {
    if (stop.signal.aborted) return giveUp('second signal: exiting at once');
    log.info({ graceMs }, 'stopping');
    stop.abort(new Error('The process was told to stop.'));
    timer = setTimeout(() => giveUp('did not stop within the grace time: exiting'), graceMs);
    // Waits for nothing: a process that has no work left ends before.
    timer.unref();
  };
  source.on('SIGTERM', onSignal);
  source.on('SIGINT', onSignal);
  return {
    signal: stop.signal,
    [Symbol.dispose]() {
      clearTimeout(timer);
      source.off('SIGTERM', onSignal);
      source.off('SIGINT', onSignal);
    },
  };
}
