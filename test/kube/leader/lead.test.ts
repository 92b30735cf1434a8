import * as fc from 'fast-check';
import { pino } from 'pino';
import { describe, expect, test } from 'vitest';
import type { JsonPatch, Kube } from '../../../src/kube/client.ts';
import { AlreadyExists, Conflict, NotFound, Unreachable } from '../../../src/kube/errors.ts';
import { Election } from '../../../src/kube/leader/lead.ts';
import { FakeClock } from '../fake-clock.ts';

const log = pino({ level: 'silent' });

/** One lease on a server that can be cut off from a candidate. */
class LeaseServer {
  #version = 0;
  #spec: { holderIdentity?: string; leaseTransitions?: number } | undefined;
  readonly cutOff = new Set<string>();

  get spec() {
    return this.#spec;
  }

  for(candidate: string): Kube {
    const reach = async () => {
      if (this.cutOff.has(candidate)) throw new Unreachable('Unreachable', 'no route');
    };
    const found = () => ({ metadata: { resourceVersion: `${this.#version}` }, spec: this.#spec });
    const write = (spec: unknown) => {
      this.#version += 1;
      this.#spec = spec as { holderIdentity: string };
      return found();
    };
    const methods = {
      get: async () => {
        await reach();
        if (this.#spec === undefined) throw new NotFound('NotFound', 'no lease');
        return found();
      },
      create: async (_: unknown, { spec }: { spec?: unknown }) => {
        await reach();
        if (this.#spec !== undefined) throw new AlreadyExists('AlreadyExists', 'too late');
        return write(spec);
      },
      patch: async (_: unknown, __: unknown, operations: readonly JsonPatch[]) => {
        await reach();
        const [tested, added] = operations;
        if (tested?.op !== 'test' || tested.value !== `${this.#version}`)
          throw new Conflict('Conflict', 'changed');
        return write(added?.op === 'add' ? added.value : undefined);
      },
    };
    return methods as unknown as Kube;
  }
}

function candidate(server: LeaseServer, identity: string, clock: FakeClock) {
  const stop = new AbortController();
  const seen = { acting: false, lost: false };
  const election = new Election({
    kube: server.for(identity),
    ...{ namespace: 'system', name: 'leader', identity, clock, log },
    uptime: () => clock.now(),
  });
  const work = async (signal: AbortSignal) => {
    seen.acting = true;
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve());
    });
    seen.acting = false;
  };
  const ended = election.lead(work, stop.signal).catch(() => {
    seen.lost = true;
  });
  return { election, seen, ended, stop: () => stop.abort(new Error('stop')) };
}

describe('of two candidates', () => {
  test('one acts, and when it is told to stop the other follows at once', async () => {
    const [server, clock] = [new LeaseServer(), new FakeClock()];
    const a = candidate(server, 'a', clock);
    await clock.advance(1);
    const b = candidate(server, 'b', clock);
    await clock.advance(60_000);
    expect([a.seen.acting, b.seen.acting]).toEqual([true, false]);
    a.stop();
    await a.ended;
    expect(server.spec?.holderIdentity).toBe('');
    await clock.advance(2001);
    expect([a.seen.acting, b.seen.acting]).toEqual([false, true]);
    expect(server.spec?.leaseTransitions).toBe(1);
    b.stop();
    await b.ended;
  });

  test('the one that cannot reach the server stops before the other begins', async () => {
    const [server, clock] = [new LeaseServer(), new FakeClock()];
    const a = candidate(server, 'a', clock);
    await clock.advance(1);
    const b = candidate(server, 'b', clock);
    await clock.advance(10_000);
    server.cutOff.add('a');
    await clock.advance(12_000);
    expect([a.seen.acting, a.seen.lost, b.seen.acting]).toEqual([false, true, false]);
    await clock.advance(7000);
    expect(b.seen.acting).toBe(true);
    b.stop();
    await Promise.all([a.ended, b.ended]);
  });

  test('never two act, whatever the network does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom('a', 'b'), fc.integer({ min: 1, max: 20_000 })), { maxLength: 12 }),
        async (weather) => {
          const [server, clock] = [new LeaseServer(), new FakeClock()];
          const both = [candidate(server, 'a', clock), candidate(server, 'b', clock)];
          for (const [who, ms] of weather) {
            if (!server.cutOff.delete(who)) server.cutOff.add(who);
            for (let left = ms; left > 0; left -= 500) {
              await clock.advance(Math.min(left, 500));
              expect(both.filter(({ seen }) => seen.acting).length).toBeLessThan(2);
              expect(both.filter(({ election }) => election.leads()).length).toBeLessThan(2);
            }
          }
          for (const one of both) one.stop();
          await clock.advance(1);
          await Promise.all(both.map(({ ended }) => ended));
        },
      ),
      { numRuns: 40 },
    );
  });
});
