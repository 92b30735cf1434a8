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
  const written = await writeStatus(kube, cache.kind, object, status, writer, signal);
  if (written === undefined) return false;
  for (const event of events) recorder.record(cache.kind, object, event);
  await untilShown(cache, written, clock, signal);
  return true;
}

/**
 * Resolves when the cache has the object as it was written, or as it became after that, or not at all. Another version than before is not
 * enough: it may be of a write between our reading and ours.
 */
async function untilShown<T extends KubeObject>(
  cache: Cache<T>,
  object: T,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const key = keyOf(object.metadata);
  const isShown = (): boolean => {
    const now = cache.get(key);
    return now === undefined || isSince(now.metadata.resourceVersion, object.metadata.resourceVersion);
  };
  if (isShown()) return;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const leave = cache.onChange((change) => {
    if (change.key === key && isShown()) resolve();
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

/** Versions of one kind are numbers that rise (KEP-5504). */
function isSince(version = '', written = ''): boolean {
  const isNumber = /^\d+$/.test(version) && /^\d+$/.test(written);
  return isNumber ? BigInt(version) >= BigInt(written) : version === written;
}
