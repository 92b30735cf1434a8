import type { Logger } from 'pino';
import { z } from 'zod';
import type { Kube } from './client.ts';
import { type Clock, systemClock } from './clock.ts';
import { Spacing } from './event-spacing.ts';
import { type Kind, type KubeObject, keyOf, objectMeta } from './kind.ts';
import { microTime } from './lease.ts';

/** Something that happened to an object, worth telling its owner. Make it with a named constructor; tell transitions only. */
export interface Event {
  readonly type: 'Normal' | 'Warning';
  /** PascalCase; the reason of the condition that changed with it. */
  readonly reason: string;
  /** What was being done, in one PascalCase verb: `Backup`, `Assign`. */
  readonly action: string;
  readonly note: string;
}

export interface Recorder {
  /** Sends an event in the background. Never throws; a repetition within two minutes is dropped. */
  record<T extends KubeObject>(kind: Kind<T>, object: T, event: Event): void;
  /** Resolves when nothing is under way any more. */
  settled(): Promise<void>;
}

export interface RecorderOptions {
  readonly kube: Kube;
  /** Which controller speaks: `tidemark.dev/controller`. */
  readonly controller: string;
  /** Which of its instances: the pod's name. */
  readonly instance: string;
  readonly log: Logger;
  readonly clock?: Clock;
  readonly random?: () => number;
}

/** The limit of an event's note, in bytes. Source: k8s.io/kubernetes pkg/apis/core/validation/events.go */
const longestNoteBytes = 1024;

const event = z.object({
  metadata: objectMeta,
  regarding: z.object({
    kind: z.string().optional(),
    name: z.string().optional(),
    uid: z.string().optional(),
  }),
  type: z.string().optional(),
  reason: z.string().optional(),
  action: z.string().optional(),
  note: z.string().optional(),
});
export type RecordedEvent = z.infer<typeof event>;

/** events.k8s.io Event. */
export const events: Kind<RecordedEvent> = {
  apiVersion: 'events.k8s.io/v1',
  kind: 'Event',
  plural: 'events',
  namespaced: true,
  parse: (raw) => event.parse(raw),
};

/** Makes a recorder. What is under way when the signal aborts is given up. */
export function startRecorder(options: RecorderOptions, signal: AbortSignal): Recorder {
  const { kube, log, clock = systemClock, random = Math.random } = options;
  const spacing = new Spacing();
  const underWay = new Set<Promise<void>>();

  async function send(kind: Kind, object: KubeObject, event: Event, at: number): Promise<void> {
    const { name, namespace, uid, resourceVersion } = object.metadata;
    // Events about cluster-scoped objects live in `default`.
    const eventNamespace = namespace ?? 'default';
    const regarding = { apiVersion: kind.apiVersion, kind: kind.kind, name, namespace, uid, resourceVersion };
    // As client-go names them, by the nanosecond; those that our clock does not tell are left to chance.
    const nanoseconds = BigInt(at) * 1_000_000n + BigInt(Math.floor(random() * 1e6));
    const suffix = `.${nanoseconds.toString(16)}`;
    try {
      await kube.create(
        events,
        {
          metadata: { name: `${name.slice(0, 253 - suffix.length)}${suffix}`, namespace: eventNamespace },
          eventTime: microTime(new Date(at)),
          reportingController: options.controller,
          reportingInstance: options.instance.slice(0, 128),
          regarding,
          type: event.type,
          reason: event.reason,
          action: event.action,
          note: cutToBytes(event.note, longestNoteBytes),
        },
        signal,
      );
    } catch (error) {
      if (!signal.aborted)
        log.warn({ err: error, reason: event.reason, key: keyOf(object.metadata) }, 'event lost');
    }
  }

  return {
    record(kind, object, event) {
      const about = `${kind.kind}/${object.metadata.uid ?? keyOf(object.metadata)}`;
      const now = clock.now();
      if (!spacing.admits(about, `${event.type}/${event.reason}/${event.note}`, now)) return;
      const sending = send(kind, object, event, now).finally(() => underWay.delete(sending));
      underWay.add(sending);
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}

/** The longest beginning of a text that fits, cut between characters and marked with an ellipsis. */
export function cutToBytes(text: string, limit: number): string {
  if (Buffer.byteLength(text) <= limit) return text;
  let cut = '';
  let room = limit - Buffer.byteLength('…');
  for (const point of text) {
    room -= Buffer.byteLength(point);
    if (room < 0) break;
    cut += point;
  }
  return `${cut}…`;
}
