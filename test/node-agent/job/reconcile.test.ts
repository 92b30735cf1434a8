import { pino } from 'pino';
import { expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { type AgentContext, reconcile } from '../../../src/node-agent/job/reconcile.ts';
import { backup, execution, plan, repository } from '../../domain/builders.ts';
import { FakeNode } from './fake-node.ts';

const { signal } = new AbortController();

/** The agent of a node, whose cache shows one VMBackup. No mover and no VM is to be looked at. */
function contextOf(node: FakeNode, cached: VMBackup, withRepository = true): AgentContext {
  const caches = {
    backups: { get: () => cached },
    repositories: { get: () => (withRepository ? repository() : undefined) },
  };
  return {
    ...{ nodeName: 'n1', podsDir: '/pods', kube: node.kube, caches, bandwidthLimit: undefined },
    moverOf: () => {
      throw new Error('began to carry it out');
    },
    now: () => new Date('2026-11-23T12:00:00Z'),
    log: pino({ level: 'silent' }),
  } as unknown as AgentContext;
}

test('a plan that the cache does not know yet is not begun: guard and sweep would take its job for nobody’s', async () => {
  await using node = await FakeNode.make();
  const cached = node.object!;
  node.plan({ attempt: 2, bitmap: 'backup-2' });
  expect(await reconcile(contextOf(node, cached), 'shop/b', signal)).toEqual({ kind: 'Done' });
  await expect(reconcile(contextOf(node, node.object!), 'shop/b', signal)).rejects.toThrow('began');
});

test('a backup that had begun has failed when its repository is gone, and tells the bitmap that is left', async () => {
  await using node = await FakeNode.make();
  const told = execution({ completedAt: undefined, bitmapCreated: undefined });
  node.object = backup({ name: 'b', status: { plan: plan({ bitmap: 'backup-1' }), execution: told } });
  expect(await reconcile(contextOf(node, node.object, false), 'shop/b', signal)).toEqual({ kind: 'Done' });
  expect(node.execution).toMatchObject({
    error: { reason: 'RepositoryNotFound' },
    bitmapCreated: 'backup-1',
    completedAt: expect.any(String),
  });
});

test('one that has not begun waits for its repository', async () => {
  await using node = await FakeNode.make();
  const waits = reconcile(contextOf(node, node.object!, false), 'shop/b', signal);
  expect(await waits).toMatchObject({ kind: 'Waiting', reason: 'RepositoryNotFound' });
  expect(node.execution).toBeUndefined();
});
