import { join } from 'node:path';
import { expect, test } from 'vitest';
import { namespaces } from '../../../src/crds/core.ts';
import { vmBackupRepositories } from '../../../src/crds/vmbackuprepository.ts';
import { repositoryStatus } from '../../../src/controller/repository/status.ts';
import { reconcileUpkeep } from '../../../src/controller/upkeep/reconcile.ts';
import { SYNC_ANNOTATION } from '../../../src/domain/labels.ts';
import { sumReadiness } from '../../../src/domain/repository-readiness.ts';
import { conditionOf } from '../../../src/kube/conditions.ts';
import { temporaryDirectory } from '../../mover/support/backup-rig.ts';
import { StoredChain } from '../../mover/support/stored-chain.ts';
import { SmallCluster } from './small-cluster.ts';

/** Two repositories whose Jobs get no image; one of them is asked to be listed. */

const options = { clusterId: 'c', image: 'tidemark', namespace: 'tidemark-system' };
const BEGIN = Date.parse('2026-11-23T18:00:00Z');
const signal = new AbortController().signal;

test('a Job whose pod never begins is told of, given up and tried again; what it waits for is in condition and event', async () => {
  using directory = temporaryDirectory();
  const chain = new StoredChain(join(directory.path, 'c/shop/db-1'));
  await chain.add(1024 * 1024, new Map([[0, 1]]));
  const cluster = new SmallCluster(directory.path);
  cluster.put(namespaces, { metadata: { name: 'shop', uid: 'shop' } });
  cluster.put(vmBackupRepositories, {
    metadata: {
      ...{ name: 'nas', uid: 'nas-uid', creationTimestamp: '2026-11-23T18:00:00Z' },
      annotations: { [SYNC_ANNOTATION]: 'now' },
    },
    spec: { local: { path: '/srv' }, allowedNamespaces: ['*'] },
    status: {
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Ready',
          message: '.',
          lastTransitionTime: '2026-11-23T18:00:00Z',
        },
      ],
    },
  });
  const events: string[] = [];
  let now = BEGIN;
  const clock = { now: () => now, after: () => () => {} };
  const recorder = {
    record: (
      _: unknown,
      __: unknown,
      { type, reason, note }: { type: string; reason: string; note: string },
    ) => void events.push(`${type} ${reason}: ${note}`),
    settled: async () => {},
  };
  const tools = { kube: cluster.kube, clock, recorder };
  const look = async (minutes: number) => {
    now = BEGIN + minutes * 60_000;
    // One look begins, the next one makes the Job, and a third sees it.
    for (const _ of [1, 2, 3]) await reconcileUpkeep(cluster.caches, options, tools, 'nas', signal);
    return cluster.caches.repositories.get('nas')!;
  };
  const conditionIn = (repository: Awaited<ReturnType<typeof look>>) =>
    conditionOf(
      repositoryStatus(repository, sumReadiness('nas', []), { running: 0, waiting: 0 }, new Date(now))
        .conditions,
      'UpkeepHealthy',
    );

  cluster.stuck = { reason: 'ImagePullBackOff', message: 'no such image' };
  expect((await look(0.1)).status?.upkeep?.waiting).toBeUndefined();
  expect(conditionIn(await look(0.2))).toMatchObject({ status: 'True', reason: 'UpkeepRuns' });

  expect(conditionIn(await look(2))).toMatchObject({
    status: 'False',
    reason: 'ImagePullBackOff',
    message: expect.stringMatching(/^Catalogue: the Job does not begin: Pod '.*': no such image$/),
  });
  await look(3);
  expect(events).toEqual([
    expect.stringMatching(/^Warning ImagePullBackOff: The Job for Catalogue .*: no such image$/),
  ]);

  const given = await look(10);
  expect(given.status?.upkeep).toMatchObject({ failures: 1, lastFailure: { reason: 'JobNotStarted' } });
  expect(given.status?.upkeep?.job).toBeUndefined();
  expect(conditionIn(given)).toMatchObject({ status: 'False', reason: 'JobNotStarted' });
  expect(events.at(-1)).toMatch(
    /^Warning JobNotStarted: Catalogue of the repository failed: .* within 10 minutes/,
  );
  expect(cluster.caches.jobs.list()).toEqual([]);

  // A minute later it is tried again, and an image that came in the meantime is enough.
  cluster.stuck = undefined;
  expect((await look(10.9)).status?.upkeep?.job).toBeUndefined();
  await look(11.1);
  const done = await look(11.2);
  expect(done.status?.catalogue).toMatchObject({ backups: 1, trigger: 'now' });
  expect(conditionIn(done)).toMatchObject({ status: 'True' });
});
