import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import { runController } from '../../src/kube/controller.ts';
import { TooManyRequests } from '../../src/kube/errors.ts';
import { Again, Done, type Outcome, Stalled, Waiting } from '../../src/kube/outcome.ts';
import { type Source, Trigger, type Watched, watching } from '../../src/kube/source.ts';
import type { Change } from '../../src/kube/change.ts';
import { FakeClock, settle } from './fake-clock.ts';

type Reconcile = (key: string, signal: AbortSignal) => Promise<Outcome>;

function rig(reconcile: Reconcile, sources?: readonly Source[]) {
  const clock = new FakeClock();
  const begunAt = clock.now();
  const stop = new AbortController();
  const logged: { readonly msg: string; readonly level: number; readonly key?: string }[] = [];
  const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(JSON.parse(line)) });
  const trigger = new Trigger();
  const ranAt: number[] = [];
  const options = {
    name: 'test',
    sources: [trigger, ...(sources ?? [])],
    log,
    clock,
    random: () => 0,
    reconcile: (key: string, signal: AbortSignal) => {
      ranAt.push(clock.now() - begunAt);
      return reconcile(key, signal);
    },
  };
  const stopped = runController(options, stop.signal);
  return { clock, stop, stopped, trigger, ranAt, logged };
}

/** Outcomes in turn; the last one stands. */
function inTurn(...steps: (Outcome | Error)[]): Reconcile {
  return () => {
    const step = steps.length > 1 ? steps.shift() : steps[0];
    return step instanceof Error ? Promise.reject(step) : Promise.resolve(step ?? Done());
  };
}

describe('a controller', () => {
  test.each<{ name: string; steps: (Outcome | Error)[]; ranAt: number[] }>([
    { name: 'Done: not again', steps: [Done()], ranAt: [0] },
    { name: 'Stalled: not again', steps: [Stalled('NoSuchVM', 'Name a VM.')], ranAt: [0] },
    { name: 'Again: after its time', steps: [Again(5000), Done()], ranAt: [0, 5000] },
    {
      name: 'Waiting: after its time',
      steps: [Waiting('NotReady', 'It mounts.', 60_000), Done()],
      ranAt: [0, 60_000],
    },
    {
      name: 'an error: after growing delays',
      steps: [new Error('a'), new Error('b'), new Error('c'), Done()],
      ranAt: [0, 250, 750, 1750],
    },
    {
      name: 'an error after a success: after the first delay again',
      steps: [new Error('a'), new Error('b'), Again(10_000), new Error('c'), Done()],
      ranAt: [0, 250, 750, 10_750, 11_000],
    },
    {
      name: 'a busy server: not before it asked for',
      steps: [new TooManyRequests('TooManyRequests', 'busy', { retryAfterMs: 9000 }), Done()],
      ranAt: [0, 9000],
    },
  ])('reconciles once more after $name', async ({ steps, ranAt }) => {
    const it = rig(inTurn(...steps));
    await settle();
    it.trigger.fire('a');
    await it.clock.advance(600_000);
    expect(it.ranAt).toEqual(ranAt);
    it.stop.abort();
    await it.stopped;
  });

  test('logs an error with its key, and how soon it tries again', async () => {
    const it = rig(inTurn(new Error('the disk is gone'), Done()));
    await settle();
    it.trigger.fire('ns/a');
    await settle();
    expect(it.logged.filter(({ level }) => level >= 50)).toEqual([
      expect.objectContaining({
        msg: 'reconcile failed',
        key: 'ns/a',
        controller: 'test',
        retryInMs: 250,
        failures: 1,
      }),
    ]);
    it.stop.abort();
    await it.stopped;
  });

  test('retries a reconcile that throws before it returns a promise', async () => {
    let calls = 0;
    const it = rig(() => {
      if (calls++ === 0) throw new Error('at once');
      return Promise.resolve(Done());
    });
    await settle();
    it.trigger.fire('a');
    await it.clock.advance(1000);
    expect(calls).toBe(2);
    it.stop.abort();
    await it.stopped;
  });

  test('begins when every source is synced, not before', async () => {
    const sync = Promise.withResolvers<void>();
    const late: Source = {
      synced: sync.promise,
      subscribe(enqueue) {
        enqueue('there');
        return () => {};
      },
    };
    const it = rig(inTurn(Done()), [late]);
    await it.clock.advance(1000);
    expect(it.ranAt).toEqual([]);
    sync.resolve();
    await settle();
    expect(it.ranAt).toEqual([1000]);
    it.stop.abort();
    await it.stopped;
  });

  test('ends quietly if it is stopped before its sources are synced', async () => {
    const it = rig(inTurn(Done()), [{ synced: new Promise(() => {}), subscribe: () => () => {} }]);
    it.stop.abort();
    await it.stopped;
    expect(it.logged.filter(({ level }) => level >= 50)).toEqual([]);
  });

  test('stops: tells the running reconcile, waits for it, logs no error, and begins no other', async () => {
    let ended = false;
    const it = rig(async (_key, signal) => {
      await new Promise<void>((resolve) => {
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      await settle();
      ended = true;
      throw new Error('given up');
    });
    await settle();
    it.trigger.fire('a');
    await settle();
    it.stop.abort();
    await it.stopped;
    expect(ended).toBe(true);
    it.trigger.fire('b');
    await it.clock.advance(1000);
    expect(it.ranAt).toEqual([0]);
    expect(it.logged.filter(({ level }) => level >= 50)).toEqual([]);
  });
});

interface Owned {
  readonly owner: string;
}

describe('watching a cache', () => {
  test('wakes the keys that a change concerns, before and after', () => {
    const told: ((change: Change<Owned>) => void)[] = [];
    const cache: Watched<Owned> = {
      synced: Promise.resolve(),
      onChange(handler) {
        told.push(handler);
        return () => {};
      },
    };
    const keys: string[] = [];
    const owners = watching(cache, (change) =>
      [change.old?.owner, change.new?.owner].filter((it) => it !== undefined),
    );
    owners.subscribe((key) => keys.push(key));
    watching(cache).subscribe((key) => keys.push(key));
    for (const tell of told) tell({ key: 'a', old: undefined, new: { owner: 'x' } });
    expect(keys).toEqual(['x', 'a']);
    for (const tell of told) tell({ key: 'a', old: { owner: 'x' }, new: { owner: 'y' } });
    expect(keys).toEqual(['x', 'a', 'x', 'y', 'a']);
  });
});
