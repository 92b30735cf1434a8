import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { z } from 'zod';
import { startCache } from '../../src/kube/cache.ts';
import type { Kube } from '../../src/kube/client.ts';
import { connectKube } from '../../src/kube/connect.ts';
import { conditionsFor } from '../../src/kube/conditions.ts';
import {
  AlreadyExists,
  Conflict,
  Expired,
  Forbidden,
  Invalid,
  type KubeError,
  NotFound,
} from '../../src/kube/errors.ts';
import { events, startRecorder } from '../../src/kube/events.ts';
import { addFinalizer, removeFinalizer } from '../../src/kube/finalizers.ts';
import { type Kind, keyOf, objectMeta } from '../../src/kube/kind.ts';
import { isAlive, renewLease } from '../../src/kube/lease.ts';
import { objectPath } from '../../src/kube/path.ts';
import { writeStatus } from '../../src/kube/status.ts';
import { type ControlPlane, startControlPlane } from '../support/control-plane/control-plane.ts';
import { gadgetCrd, gadgets } from './kube-gadgets.ts';

const configMap = z.object({ metadata: objectMeta, data: z.record(z.string(), z.string()).default({}) });
const configMaps: Kind<z.infer<typeof configMap>> = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
  parse: (raw) => configMap.parse(raw),
};
const lease = z.object({
  metadata: objectMeta,
  spec: z.object({ renewTime: z.string(), leaseDurationSeconds: z.number(), holderIdentity: z.string() }),
});
const leases: Kind<z.infer<typeof lease>> = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  parse: (raw) => lease.parse(raw),
};

const log = pino({ level: 'silent' });
const eventually = { timeout: 30_000, interval: 50 };
const namespace = 'default';

let cluster: ControlPlane;
let kube: Kube;
const stop = new AbortController();
const { signal } = stop;

beforeAll(async () => {
  cluster = await startControlPlane();
  kube = connectKube({ kubeconfigPath: cluster.kubeconfigPath, userAgent: 'test/1' });
  await cluster.kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(gadgetCrd) });
  await cluster.kubectl(['wait', '--for=condition=Established', 'crd/gadgets.test.tidemark.dev']);
});

afterAll(async () => {
  stop.abort();
  await cluster.stop();
});

describe('against a real API server, the client', () => {
  test('creates, reads, lists by label and field, and deletes', async () => {
    const labels = { app: 'crud' };
    for (const name of ['one', 'two']) {
      const made = await kube.create(
        configMaps,
        { metadata: { namespace, name, labels }, data: { name } },
        signal,
      );
      expect(made.metadata.uid).not.toBe('');
    }
    expect((await kube.get(configMaps, { namespace, name: 'one' }, signal)).data).toEqual({ name: 'one' });
    const list = async (selection: object): Promise<string[]> =>
      (await kube.list(configMaps, { namespace, ...selection }, signal)).map(({ metadata }) => metadata.name);
    expect(await list({ labelSelector: 'app=crud' })).toEqual(['one', 'two']);
    expect(await list({ labelSelector: 'app=crud', fieldSelector: 'metadata.name=two' })).toEqual(['two']);
    await kube.delete(configMaps, { namespace, name: 'one' }, {}, signal);
    await kube.delete(configMaps, { namespace, name: 'one' }, {}, signal);
    expect(await list({ labelSelector: 'app=crud' })).toEqual(['two']);
  });

  test('throws NotFound, AlreadyExists, Conflict, Invalid and Forbidden, each with what to know', async () => {
    const metadata = { namespace, name: 'errors' };
    const other = { namespace, name: 'too-small' };
    await kube.create(gadgets, { metadata, spec: { size: 1 } }, signal);
    const nobody = connectKube({
      kubeconfigPath: await cluster.kubeconfigFor({ user: 'nobody' }),
      userAgent: 'test/1',
    });
    const cases: readonly [() => Promise<unknown>, new (...args: never[]) => KubeError, RegExp][] = [
      [
        () => kube.get(gadgets, { namespace, name: 'none' }, signal),
        NotFound,
        /get Gadget default\/none: .*not found/,
      ],
      [() => kube.create(gadgets, { metadata, spec: { size: 1 } }, signal), AlreadyExists, /already exists/],
      [() => kube.delete(gadgets, metadata, { uid: 'other' }, signal), Conflict, /UID in the precondition/],
      [() => kube.create(gadgets, { metadata: other, spec: { size: -1 } }, signal), Invalid, /spec\.size/],
      [() => nobody.get(gadgets, metadata, signal), Forbidden, /nobody.*cannot get.*"default"\. Grant/],
      [() => kube.list({ ...gadgets, plural: 'gizmos' }, {}, signal), NotFound, /list gizmos/],
      [() => kube.put(objectPath(gadgets, metadata, 'freeze'), {}, {}, signal), NotFound, /PUT .*freeze/],
    ];
    for (const [attempt, Class, words] of cases) {
      const error: unknown = await attempt().catch((error: unknown) => error);
      expect(error).toBeInstanceOf(Class);
      expect(error).toHaveProperty('message', expect.stringMatching(words));
    }
  });

  test('applies: creates, owns its fields, gives up what it leaves out, and meets the conflict of another', async () => {
    const name = 'applied';
    const apply = (data: object, fieldManager: string, force = false): Promise<z.infer<typeof configMap>> =>
      kube.apply(configMaps, { metadata: { namespace, name }, data }, { fieldManager, force }, signal);
    expect((await apply({ a: '1', b: '1' }, 'one')).data).toEqual({ a: '1', b: '1' });
    expect((await apply({ c: '2' }, 'two')).data).toEqual({ a: '1', b: '1', c: '2' });
    expect((await apply({ a: '1' }, 'one')).data).toEqual({ a: '1', c: '2' });
    await expect(apply({ a: '9' }, 'two')).rejects.toBeInstanceOf(Conflict);
    const gone = { metadata: { namespace, name: 'never-made', uid: 'gone' } };
    await expect(kube.apply(configMaps, gone, { fieldManager: 'one' }, signal)).rejects.toBeInstanceOf(
      Conflict,
    );
    expect((await apply({ a: '9' }, 'two', true)).data).toEqual({ a: '9' });
  });

  test('adds its finalizer and removes no other, even from an old copy', async () => {
    const metadata = { namespace, name: 'finalized' };
    const bare = await kube.create(configMaps, { metadata }, signal);
    const [ours, theirs] = ['tidemark.dev/data', 'example.dev/other'];
    await addFinalizer(kube, configMaps, bare, ours, signal);
    await expect(addFinalizer(kube, configMaps, bare, theirs, signal)).rejects.toBeInstanceOf(Conflict);
    const one = await kube.get(configMaps, metadata, signal);
    await addFinalizer(kube, configMaps, one, ours, signal);
    await addFinalizer(kube, configMaps, one, theirs, signal);
    await removeFinalizer(kube, configMaps, await kube.get(configMaps, metadata, signal), theirs, signal);
    await addFinalizer(kube, configMaps, await kube.get(configMaps, metadata, signal), theirs, signal);
    const both = await kube.get(configMaps, metadata, signal);
    expect(both.metadata.finalizers).toEqual([ours, theirs]);
    await removeFinalizer(kube, configMaps, both, ours, signal);
    // The old copy says that ours is first; theirs is there now.
    await expect(removeFinalizer(kube, configMaps, both, ours, signal)).rejects.toBeInstanceOf(Conflict);
    const reborn = { ...both, metadata: { ...both.metadata, uid: 'other' } };
    await expect(removeFinalizer(kube, configMaps, reborn, theirs, signal)).rejects.toBeInstanceOf(Conflict);
    expect((await kube.get(configMaps, metadata, signal)).metadata.finalizers).toEqual([theirs]);
    const last = await kube.get(configMaps, metadata, signal);
    await expect(addFinalizer(kube, configMaps, last, 'not a name', signal)).rejects.toBeInstanceOf(Invalid);
  });

  test('reads a list of more than one page', async () => {
    const metadata = (n: number): { namespace: string; name: string; labels: { app: string } } => ({
      namespace,
      name: `paged-${n}`,
      labels: { app: 'paged' },
    });
    await Promise.all(
      Array.from({ length: 501 }, (_, n) => kube.create(configMaps, { metadata: metadata(n) }, signal)),
    );
    const first = await kube.listPage(
      configMaps,
      { namespace, labelSelector: 'app=paged' },
      { limit: 500 },
      signal,
    );
    expect(first.continue).toBeDefined();
    expect(await kube.list(configMaps, { namespace, labelSelector: 'app=paged' }, signal)).toHaveLength(501);
  });

  test('is told that a version to watch from is too old', async () => {
    const watching = (async (): Promise<void> => {
      const options = { resourceVersion: '1', timeoutSeconds: 5 };
      for await (const _ of kube.watch(gadgets, {}, options, signal));
    })();
    await expect(watching).rejects.toBeInstanceOf(Expired);
  });
});

describe('against a real API server, a status', () => {
  test('is written once, each writer keeping its own fields', async () => {
    const metadata = { namespace, name: 'status' };
    await kube.create(gadgets, { metadata, spec: { size: 1 } }, signal);
    const read = (): ReturnType<typeof gadgets.parse> extends infer T ? Promise<T> : never =>
      kube.get(gadgets, metadata, signal);
    const controller = { fieldManager: 'controller', fields: ['conditions', 'phase'] } as const;
    const agent = { fieldManager: 'agent', fields: ['progress'] } as const;
    const say = async (reason: string): Promise<boolean> => {
      const now = await read();
      const desired = [{ type: 'Reconciling', status: 'True', reason, message: 'Copying.' } as const];
      const at = { generation: now.metadata.generation, now: new Date() };
      const conditions = conditionsFor(now.status?.conditions ?? [], desired, at);
      const wanted = { conditions, phase: reason };
      return (await writeStatus(kube, gadgets, now, wanted, controller, signal)) !== undefined;
    };
    expect(await say('Copying')).toBe(true);
    expect(await say('Copying')).toBe(false);
    const written = await writeStatus(kube, gadgets, await read(), { progress: 5 }, agent, signal);
    expect(written?.metadata.resourceVersion).toBe((await read()).metadata.resourceVersion);
    expect(await say('Committing')).toBe(true);
    const now = await read();
    expect(now.status).toMatchObject({ phase: 'Committing', progress: 5 });
    expect(now.status?.conditions?.map(({ type, status }) => [type, status])).toEqual([
      ['Reconciling', 'True'],
      ['Ready', 'Unknown'],
    ]);
    expect(
      await writeStatus(kube, gadgets, now, { conditions: now.status?.conditions }, controller, signal),
    ).toBeDefined();
    expect((await read()).status).not.toHaveProperty('phase');
    expect((await read()).metadata.generation).toBe(1);
  });

  test('never lands on a new object of the same name, nor makes one', async () => {
    const metadata = { namespace, name: 'reborn' };
    const writer = { fieldManager: 'controller', fields: ['phase'] } as const;
    const old = await kube.create(gadgets, { metadata, spec: { size: 1 } }, signal);
    await kube.delete(gadgets, metadata, { uid: old.metadata.uid }, signal);
    const write = () => writeStatus(kube, gadgets, old, { phase: 'Old' }, writer, signal);
    await expect(write()).rejects.toBeInstanceOf(NotFound);
    await kube.create(gadgets, { metadata, spec: { size: 2 } }, signal);
    await expect(write()).rejects.toMatchObject({ reason: 'Replaced' });
    expect((await kube.get(gadgets, metadata, signal)).status).toBeUndefined();
  });

  test('is written although another writer changed its part since we read', async () => {
    const metadata = { namespace, name: 'raced' };
    const old = await kube.create(gadgets, { metadata, spec: { size: 1 } }, signal);
    const options = { fieldManager: 'agent' };
    await kube.applyStatus(gadgets, metadata, { progress: 5 }, options, signal);
    await expect(kube.applyStatus(gadgets, old.metadata, { progress: 6 }, options, signal)).rejects.toThrow(
      Conflict,
    );
    const writer = { fieldManager: 'controller', fields: ['phase'] } as const;
    expect(await writeStatus(kube, gadgets, old, { phase: 'Copying' }, writer, signal)).toBeDefined();
    expect((await kube.get(gadgets, metadata, signal)).status).toEqual({ phase: 'Copying', progress: 5 });
  });
});

describe('against a real API server', () => {
  test('an event is recorded, and described with its object', async () => {
    const gadget = await kube.create(
      gadgets,
      { metadata: { namespace, name: 'told' }, spec: { size: 1 } },
      signal,
    );
    const warnings: string[] = [];
    const recorder = startRecorder(
      {
        kube,
        controller: 'tidemark.dev/test',
        instance: 'pod-1',
        log: pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) }),
      },
      signal,
    );
    const note = `It is ${'very '.repeat(300)}long.`;
    recorder.record(gadgets, gadget, { type: 'Warning', reason: 'TooLong', action: 'Tell', note });
    recorder.record(gadgets, gadget, {
      type: 'Normal',
      reason: 'Told',
      action: 'Tell',
      note: 'All is well.',
    });
    await recorder.settled();
    expect(warnings).toEqual([]);
    const told = await kube.list(events, { namespace, fieldSelector: 'regarding.name=told' }, signal);
    expect(new Set(told.map(({ reason }) => reason))).toEqual(new Set(['Told', 'TooLong']));
    expect(await cluster.kubectl(['describe', 'gadget', 'told'])).toContain('All is well.');
  });

  test('a lease is made and renewed, with what its holder says', async () => {
    const beat = { namespace, name: 'agent-1', holder: 'node-1', fieldManager: 'agent', durationSeconds: 40 };
    const read = (): Promise<z.infer<typeof lease>> => kube.get(leases, beat, signal);
    const now = new Date();
    await renewLease(kube, { ...beat, annotations: { 'a.dev/x': '1', 'a.dev/y': '1' } }, now, signal);
    expect(isAlive((await read()).spec, now)).toBe(true);
    const later = new Date(now.getTime() + 60_000);
    expect(isAlive((await read()).spec, later)).toBe(false);
    await renewLease(kube, { ...beat, annotations: { 'a.dev/x': '2' } }, later, signal);
    expect((await read()).metadata.annotations).toEqual({ 'a.dev/x': '2' });
    expect(isAlive((await read()).spec, later)).toBe(true);
  });

  test('a cache follows what happens, and lives through a restart of the server', async () => {
    const stopCache = new AbortController();
    const selection = { namespace, labelSelector: 'app=cached' };
    const cache = startCache({ kube, kind: gadgets, selection, log }, stopCache.signal);
    const make = async (name: string, app = 'cached'): Promise<void> => {
      await kube.create(
        gadgets,
        { metadata: { namespace, name, labels: { app } }, spec: { size: 1 } },
        signal,
      );
    };
    const names = (): string[] =>
      cache
        .list()
        .map((gadget) => keyOf(gadget.metadata))
        .toSorted();
    await cache.synced;
    expect(names()).toEqual([]);
    await make('c1');
    await make('c2');
    await make('other', 'else');
    await vi.waitFor(() => expect(names()).toEqual(['default/c1', 'default/c2']), eventually);

    await cluster.kill('kube-apiserver');
    await vi.waitFor(() => expect(cache.health().error).toContain('cannot be reached'), eventually);
    expect(names()).toEqual(['default/c1', 'default/c2']);
    await cluster.restart('kube-apiserver');
    await kube.delete(gadgets, { namespace, name: 'c1' }, {}, signal);
    await make('c3');
    await vi.waitFor(() => expect(names()).toEqual(['default/c2', 'default/c3']), {
      ...eventually,
      timeout: 90_000,
    });
    expect(cache.health()).toMatchObject({ synced: true, error: undefined });
    stopCache.abort();
    await cache.stopped;
  });
});
