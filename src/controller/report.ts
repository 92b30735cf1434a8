import type { Cache } from '../kube/cache.ts';
import type { Kube } from '../kube/client.ts';
import type { Clock } from '../kube/clock.ts';
import { KubeError } from '../kube/errors.ts';
import type { Event, Recorder } from '../kube/events.ts';
import { type KubeObject, keyOf } from '../kube/kind.ts';
import type { Meter } from '../kube/metrics/meter.ts';
import { type StatusWriter, writeStatus } from '../kube/status.ts';

/** The outside world, for all reconcilers. */
export interface Tools {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly recorder: Recorder;
  readonly meter?: Meter;
}

type WithStatus = KubeObject & { readonly status?: object | undefined };

/** What a reconcile has to say. */
export interface Report<T extends WithStatus> {
  readonly status: Partial<NonNullable<T['status']>>;
  /** Told only if the status changed with them. */
  readonly events: readonly Event[];
}

/** A watch that is slower than this has a trouble of its own. Milliseconds. */
const OWN_WRITE_MS = 10_000;

/**
 * Writes the status, once, then tells the events, and waits until the cache shows the write: the next reconcile must not decide on
 * what was before it, or one attempt would be planned twice.
 */
export async function report<T extends WithStatus>(
  { kube, clock, recorder }: Tools,
  cache: Cache<T>,
  object: T,
  { status, events }: Report<T>,
  writer: StatusWriter<T>,
  signal: AbortSignal,
): Promise<boolean> {
  if (!(await writeStatus(kube, cache.kind, object, status, writer, signal))) return false;
  for (const event of events) recorder.record(cache.kind, object, event);
  await untilNewer(cache, object, clock, signal);
  return true;
}

/** Resolves when the cache has another version of the object, or none. */
async function untilNewer<T extends KubeObject>(
  cache: Cache<T>,
  object: T,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const key = keyOf(object.metadata);
  const isNewer = (): boolean => cache.get(key)?.metadata.resourceVersion !== object.metadata.resourceVersion;
  if (isNewer()) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const leave = cache.onChange((change) => {
    if (change.key === key && isNewer()) resolve();
  });
  const cancel = clock.after(OWN_WRITE_MS, () => {
    const message = `The watch does not show the status that was just written to ${cache.kind.kind} ${key}.`;
    reject(new KubeError('StaleCache', message));
  });
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await promise;
  } finally {
    leave();
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
