import { statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namespaces } from '../../../src/crds/core.ts';
import { vmBackupRepositories } from '../../../src/crds/vmbackuprepository.ts';
import { reconcileUpkeep } from '../../../src/controller/upkeep/reconcile.ts';
import { temporaryDirectory } from '../../mover/support/backup-rig.ts';
import { StoredChain } from '../../mover/support/stored-chain.ts';
import { SmallCluster } from './small-cluster.ts';

/** A repository is looked after by the mover's own commands for a month that passes in a second. */

const HOUR_MS = 3_600_000;
const BACKUPS = 36;
const options = { clusterId: 'c', image: 'tidemark', namespace: 'tidemark-system' };
const signal = new AbortController().signal;

test('in a month every byte is read once, in one slice a day', async () => {
  using directory = temporaryDirectory();
  const chain = new StoredChain(join(directory.path, 'c/shop/db-1'));
  // A slice reads a whole MiB at least, or what is left of a backup: many small ones.
  for (let link = 0; link < BACKUPS; link++)
    await chain.add(16 * 1024 * 1024, new Map([0, 1, 2].map((at) => [at, link + 1])));
  const stored = chain.directories.reduce((sum, _, at) => sum + statSync(chain.image(at)).size, 0);
  const cluster = new SmallCluster(directory.path);
  const begin = Date.parse('2026-11-01T00:00:00Z');
  const lastTransitionTime = new Date(begin).toISOString();
  cluster.put(namespaces, { metadata: { name: 'shop', uid: 'shop' } });
  cluster.put(vmBackupRepositories, {
    metadata: { name: 'nas', uid: 'nas-uid', creationTimestamp: lastTransitionTime },
    spec: { local: { path: '/srv' }, allowedNamespaces: ['*'], catalogue: { import: 'Never' } },
    status: {
      conditions: [{ type: 'Ready', status: 'True', reason: 'Ready', message: '.', lastTransitionTime }],
    },
  });
  let now = begin;
  const clock = { now: () => now, after: () => () => {} };
  const tools = { kube: cluster.kube, clock, recorder: { record: () => {}, settled: async () => {} } };
  const days = new Map<number, number>();
  const scrub = () => cluster.caches.repositories.get('nas')?.status?.scrub;
  let seen = 0;
  // The first slice comes after a day: what was just written was just proven.
  for (let hour = 0; scrub()?.lastFullPassAt === undefined && hour < 32 * 24; hour += 6) {
    now = begin + hour * HOUR_MS;
    cluster.today = new Date(now).toISOString();
    for (const _ of [1, 2, 3, 4, 5, 6, 7])
      await reconcileUpkeep(cluster.caches, options, tools, 'nas', signal);
    const read = (scrub()?.passBytes ?? 0) - seen;
    seen += read;
    if (read > 0) days.set(Math.floor(hour / 24), (days.get(Math.floor(hour / 24)) ?? 0) + read);
  }
  expect(scrub()).toMatchObject({ passBytes: stored, damagedCount: 0 });
  expect(days.size).toBeGreaterThanOrEqual(29);
  expect(days.size).toBeLessThanOrEqual(31);
  expect(Math.max(...days.values())).toBeLessThan(stored / 10);
});
