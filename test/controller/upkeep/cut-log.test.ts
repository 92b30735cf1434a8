import { join } from 'node:path';
import { expect, test } from 'vitest';
import { reconcileUpkeep } from '../../../src/controller/upkeep/reconcile.ts';
import { namespaces } from '../../../src/crds/core.ts';
import { vmBackups } from '../../../src/crds/vmbackup.ts';
import { vmBackupRepositories } from '../../../src/crds/vmbackuprepository.ts';
import { SYNC_ANNOTATION } from '../../../src/domain/labels.ts';
import type { Kube } from '../../../src/kube/client.ts';
import { temporaryDirectory } from '../../mover/support/backup-rig.ts';
import { StoredChain } from '../../mover/support/stored-chain.ts';
import { SmallCluster } from './small-cluster.ts';

test('a listing whose log was cut in the middle of a line is said to be lost, and asked for again', async () => {
  using directory = temporaryDirectory();
  await new StoredChain(join(directory.path, 'c/shop/db-1')).add(1024 * 1024, new Map([[1, 1]]));
  const cluster = new SmallCluster(directory.path);
  cluster.put(namespaces, { metadata: { name: 'shop', uid: 'shop' } });
  cluster.put(vmBackupRepositories, {
    metadata: { name: 'nas', uid: 'nas-uid', annotations: { [SYNC_ANNOTATION]: 'now' } },
    spec: { local: { path: '/srv' }, allowedNamespaces: ['*'] },
    status: {
      conditions: [
        {
          ...{ type: 'Ready', status: 'True', reason: 'Ready', message: '.' },
          lastTransitionTime: '2026-11-23T18:00:00Z',
        },
      ],
    },
  });
  let isCut = true;
  const kube = {
    ...cluster.kube,
    podLog: async (...asked: Parameters<Kube['podLog']>) => {
      const log = await cluster.kube.podLog(...asked);
      return isCut ? log.slice(0, log.indexOf('\n') - 10) : log;
    },
  };
  let now = Date.parse('2026-11-23T18:01:00Z');
  const look = async (): Promise<void> => {
    now += 30_000;
    const clock = { now: () => now, after: () => () => {} };
    const tools = { kube, clock, recorder: { record: () => {}, settled: async () => {} } };
    const options = { clusterId: 'c', image: 'tidemark', namespace: 'tidemark-system' };
    await reconcileUpkeep(cluster.caches, options, tools, 'nas', new AbortController().signal);
  };
  const upkeep = () => vmBackupRepositories.parse(cluster.list(vmBackupRepositories)[0]).status?.upkeep;
  for (let looks = 0; looks < 5; looks++) await look();
  expect(upkeep()?.lastFailure?.reason).toBe('ResultMissing');
  isCut = false;
  for (let looks = 0; looks < 10; looks++) await look();
  expect(cluster.list(vmBackups)).toHaveLength(1);
});
