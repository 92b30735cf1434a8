import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { cutToBytes, type Event, type Recorder, startRecorder } from '../../src/kube/events.ts';
import { kubeOver } from '../../src/kube/http-kube.ts';
import type { Transport } from '../../src/kube/transport.ts';
import { FakeClock } from './fake-clock.ts';
import { rawThing, type Thing, things } from './things.ts';

const done: Event = { type: 'Normal', reason: 'Committed', action: 'Backup', note: 'All is well.' };

const eventBody = z.looseObject({ metadata: z.looseObject({ name: z.string() }) });

interface Sent {
  readonly path: string;
  readonly body: z.infer<typeof eventBody>;
}

function rig(fail = false): { recorder: Recorder; sent: Sent[]; clock: FakeClock; warnings: string[] } {
  const sent: Sent[] = [];
  const transport: Transport = {
    send(request) {
      const body = eventBody.parse(request.body);
      sent.push({ path: request.path, body });
      if (fail) return Promise.reject(new Error('refused'));
      const filled = { uid: 'u', resourceVersion: '1', creationTimestamp: '2026-01-01T00:00:00Z' };
      return Promise.resolve({ ...body, metadata: { ...body.metadata, ...filled } });
    },
    async *stream() {},
  };
  const clock = new FakeClock();
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  const recorder = startRecorder(
    { kube: kubeOver(transport), controller: 'example.dev/test', instance: 'pod-1', log, clock },
    new AbortController().signal,
  );
  return { recorder, sent, clock, warnings };
}

function thing(name = 'a'): Thing {
  return things.parse(rawThing(name, 7));
}

describe('the recorder', () => {
  test('sends an event about the object, in its namespace', async () => {
    const { recorder, sent, clock } = rig();
    recorder.record(things, thing(), done);
    await recorder.settled();
    expect(sent).toHaveLength(1);
    expect(sent[0]?.path).toBe('/apis/events.k8s.io/v1/namespaces/ns/events');
    expect(sent[0]?.body).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      ...done,
      eventTime: new Date(clock.now()).toISOString().replace('Z', '000Z'),
      reportingController: 'example.dev/test',
      reportingInstance: 'pod-1',
      regarding: {
        apiVersion: 'example.dev/v1',
        kind: 'Thing',
        namespace: 'ns',
        name: 'a',
        uid: 'uid-a',
        resourceVersion: '7',
      },
    });
  });

  test('puts events about cluster-scoped objects into the namespace default', async () => {
    const { recorder, sent } = rig();
    const { namespace: _, ...metadata } = thing().metadata;
    recorder.record({ ...things, namespaced: false }, { ...thing(), metadata }, done);
    await recorder.settled();
    expect(sent[0]?.path).toContain('/namespaces/default/');
  });

  test('repeats the same words about the same object only after two minutes', async () => {
    const { recorder, sent, clock } = rig();
    const say = (): void => recorder.record(things, thing(), done);
    say();
    say();
    recorder.record(things, thing('b'), done);
    recorder.record(things, thing(), { ...done, note: 'other words' });
    expect(sent).toHaveLength(3);
    await clock.advance(119_999);
    say();
    expect(sent).toHaveLength(3);
    await clock.advance(1);
    say();
    expect(sent).toHaveLength(4);
    await recorder.settled();
    expect(new Set(sent.map(({ body }) => body.metadata.name)).size).toBe(4);
  });

  test('lets one object have ten events at once, then one in half a minute', async () => {
    const { recorder, sent, clock } = rig();
    let n = 0;
    const burst = (): void => {
      for (let i = 0; i < 20; i++) recorder.record(things, thing(), { ...done, note: `${n++}` });
    };
    burst();
    expect(sent).toHaveLength(10);
    await clock.advance(30_000);
    burst();
    expect(sent).toHaveLength(11);
    recorder.record(things, thing('b'), done);
    expect(sent).toHaveLength(12);
  });

  test('never throws, and says in the log what was lost', async () => {
    const { recorder, warnings } = rig(true);
    recorder.record(things, thing(), done);
    await recorder.settled();
    expect(warnings.join('')).toContain('refused');
  });

  test.each([
    { text: 'short', limit: 1024, expected: 'short' },
    { text: 'x'.repeat(1025), limit: 1024, expected: `${'x'.repeat(1021)}…` },
    { text: 'ääää', limit: 7, expected: 'ää…' },
    { text: '😀😀😀', limit: 11, expected: '😀😀…' },
  ])('cuts a note of bytes, not of characters: $expected', ({ text, limit, expected }) => {
    expect(cutToBytes(text, limit)).toBe(expected);
    expect(Buffer.byteLength(expected)).toBeLessThanOrEqual(limit);
  });
});
