import type { Logger } from 'pino';
import type { Backoff } from './backoff.ts';
import { type Clock, systemClock } from './clock.ts';
import { KubeError } from './errors.ts';
import type { Meter } from './metrics/meter.ts';
import type { Outcome } from './outcome.ts';
import { Queue } from './queue.ts';
import type { Source } from './source.ts';

export interface ControllerOptions {
  /** For logs. */
  readonly name: string;
  /** What brings keys into the queue. The first reconcile begins when all are synced. */
  readonly sources: readonly Source[];
  /**
   * Brings the world one step closer to what the object of this key asks for. It is called again and again: it
   * reads what is, and never relies on what changed. The signal aborts when the program is to stop.
   */
  reconcile(key: string, signal: AbortSignal): Promise<Outcome>;
  readonly log: Logger;
  /** How many keys at once; default 4. */
  readonly concurrency?: number;
  /** After a thrown error; default from half a second to five minutes. */
  readonly backoff?: Backoff;
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly meter?: Meter;
}

const defaultBackoff: Backoff = { baseMs: 500, maxMs: 300_000 };

/** Runs a controller until the signal aborts; resolves when the last reconcile has ended. Never rejects. */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const log = options.log.child({ controller: options.name });
  const queue = new Queue(
    {
      concurrency: options.concurrency ?? 4,
      backoff: options.backoff ?? defaultBackoff,
      clock: options.clock ?? systemClock,
      random: options.random ?? Math.random,
    },
    (key) => reconcileOnce(options, queue, key, log.child({ key }), signal),
  );
  options.meter?.queue(options.name, () => queue.depth);
  try {
    await Promise.race([aborted(signal), Promise.all(options.sources.map((source) => source.synced))]);
  } catch (error) {
    // A source gives up only when it is stopped.
    if (!signal.aborted) log.error({ err: error }, 'a source ended before it was synced');
    return;
  }
  if (signal.aborted) return;
  const unsubscribe = options.sources.map((source) => source.subscribe((key) => queue.add(key)));
  log.info('controller started');
  await aborted(signal);
  for (const leave of unsubscribe) leave();
  await queue.stop();
  log.info('controller stopped');
}

async function reconcileOnce(
  options: ControllerOptions,
  queue: Queue,
  key: string,
  log: Logger,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  const measure = (result: string): void =>
    options.meter?.reconciled(options.name, result, (performance.now() - begun) / 1000);
  try {
    const outcome = await options.reconcile(key, signal);
    measure(outcome.kind);
    queue.forget(key);
    schedule(queue, key, outcome, log);
  } catch (error) {
    if (signal.aborted) return;
    measure('Error');
    const retryInMs = queue.retry(key, error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0);
    log.error({ err: error, failures: queue.failures(key), retryInMs }, 'reconcile failed');
  }
}

function schedule(queue: Queue, key: string, outcome: Outcome, log: Logger): void {
  switch (outcome.kind) {
    case 'Done':
      log.debug('done');
      return;
    case 'Again':
      log.debug({ afterMs: outcome.afterMs }, 'again');
      queue.addAfter(key, outcome.afterMs);
      return;
    case 'Waiting':
      log.debug({ reason: outcome.reason, afterMs: outcome.afterMs }, outcome.message);
      queue.addAfter(key, outcome.afterMs);
      return;
    case 'Stalled':
      log.warn({ reason: outcome.reason }, outcome.message);
      return;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
