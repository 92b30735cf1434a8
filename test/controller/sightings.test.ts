import { expect, test } from 'vitest';
import { watchAgents } from '../../src/controller/sightings.ts';
import type { Lease } from '../../src/crds/core.ts';
import type { Change } from '../../src/kube/change.ts';

const MINUTE = 60_000;

test('an agent is alive while its Lease moves, by our clock, and gone when it stands still or is deleted', () => {
  const told = (renewTime: string): Lease => ({
    metadata: {
      ...{ name: 'n1', namespace: 'tidemark-system', uid: 'u' },
      labels: { 'app.kubernetes.io/component': 'node-agent' },
    },
    spec: { holderIdentity: 'n1', renewTime, leaseDurationSeconds: 40 },
  });
  let now = Date.parse('2026-11-26T12:00:00Z');
  let leases: readonly Lease[] = [];
  let change: (change: Change<Lease>) => void = () => undefined;
  const cache = {
    list: () => leases,
    onChange: (handler: typeof change) => {
      change = handler;
      return () => undefined;
    },
  };
  const agents = watchAgents(cache, { now: () => now });
  const becomes = (lease: Lease | undefined) => {
    const [old] = leases;
    leases = lease === undefined ? [] : [lease];
    change({ key: 'tidemark-system/n1', old, new: lease });
  };
  const alive = () => agents(now).map((agent) => agent.alive);

  becomes(told('2026-11-26T11:50:00Z'));
  expect(alive()).toEqual([false]);
  now += MINUTE;
  becomes(told('2026-11-26T11:51:00Z'));
  expect(alive()).toEqual([true]);
  now += 2 * MINUTE;
  expect(alive()).toEqual([true]);
  now += 1;
  expect(alive()).toEqual([false]);
  becomes(undefined);
  expect(alive()).toEqual([]);
});
