import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually, type Migration } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

const OTHER_NODE = 'node-2';

/** Each test goes on where the last one ended. QEMU really moves, from one launcher pod's libvirt into another's; its disks are shared. */
describe('a VM that has to leave its node in the middle of a backup', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let parent: Point;
  let migration: Migration;

  beforeAll(async () => {
    tidemark = resources.use(
      await installTidemark({ otherNodes: [OTHER_NODE], agentFlags: [`--bandwidth-limit=${4 * MiB}`] }),
    );
    vm = resources.use(
      await standInVm({
        namespace: NAMESPACE,
        name: 'db',
        podsDir: tidemark.podsDir,
        disks: [{ volume: 'root', kind: 'cbt', size: 32 * MiB }],
      }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    await vm.write('root', { pattern: 0x41, offset: 0, length: 4 * MiB });
    parent = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'parent'));
    await vm.write('root', { pattern: 0x42, offset: 2 * MiB, length: 24 * MiB });
  });
  afterAll(() => resources.disposeAsync());

  test('the backup gives way at once, and leaves the VM and the chain as they were', async () => {
    await backUpNow(tidemark, vm, 'interrupted');
    await eventually('a copy that is under way', async () =>
      (await incomingIn(tidemark.repository)).length > 1 ? true : undefined,
    );
    const asked = Date.now();
    await tidemark.kubevirt.tell(vm, { evacuationNodeName: NODE });
    await eventually('the end of the job', async () => ((await hasBackupJob(vm)) ? undefined : true), 20, 50);
    expect(Date.now() - asked).toBeLessThan(10_000);
    const { status } = await eventually('the report', async () => {
      const found = await tidemark.backup('interrupted');
      return found.status?.execution?.error === undefined ? undefined : found;
    });
    expect(status?.execution?.error?.reason).toBe('MigrationWanted');
    expect(await checkpointsOf(vm)).toEqual([parent.backup.status?.plan?.bitmap]);
    expect(await filesInPod(vm)).toEqual([]);
    expect(await incomingIn(tidemark.repository)).toEqual([]);
  });

  test('it is not tried again while the node is drained, and says why', async () => {
    await eventually('the reason', async () => {
      const { status } = await tidemark.backup('interrupted');
      return status?.conditions?.some(({ reason }) => reason === 'MigrationRunning') ? true : undefined;
    });
    expect(await hasBackupJob(vm)).toBe(false);
  });

  test('while it moves, nothing touches the pod that it moves to', async () => {
    migration = await tidemark.kubevirt.beginMigration(vm, OTHER_NODE);
    await sleep(3000);
    expect(await migration.target.virsh('list', '--all', '--name')).toBe('');
    expect(await hasBackupJob(vm)).toBe(false);
    expect((await tidemark.backup('interrupted')).status?.plan?.attempt).toBe(1);
  });

  test('on the new node the checkpoint is defined anew, and the incremental is exact', async () => {
    await migration.finish();
    expect(await checkpointsOf(vm)).toEqual([]);
    await expectMoved('interrupted', {
      plan: { nodeName: OTHER_NODE, parent: { name: 'parent' } },
      execution: { agent: OTHER_NODE },
      attempts: [
        { attempt: 1, node: NODE, reason: 'MigrationWanted' },
        { attempt: 2, node: OTHER_NODE, reason: 'Succeeded' },
      ],
    });
  });

  test('a migration that fails costs the backup nothing but its attempt: the next one is taken where the VM stayed', async () => {
    await vm.write('root', { pattern: 0x43, offset: 4 * MiB, length: 24 * MiB });
    await backUpNow(tidemark, vm, 'stayed');
    await eventually('a copy that is under way', async () =>
      (await incomingIn(tidemark.repository)).length > 1 ? true : undefined,
    );
    const failing = await tidemark.kubevirt.beginMigration(vm, NODE);
    await eventually('the end of the job', async () => ((await hasBackupJob(vm)) ? undefined : true), 20, 50);
    await failing.fail();
    await expectMoved('stayed', {
      plan: { nodeName: OTHER_NODE, parent: { name: 'interrupted' } },
      attempts: [
        { attempt: 1, node: OTHER_NODE, reason: 'MigrationWanted' },
        { attempt: 2, node: OTHER_NODE, reason: 'Succeeded' },
      ],
    });
  });

  async function expectMoved(name: string, expected: object): Promise<void> {
    const held = await takePoint(tidemark, vm, () => Promise.resolve(name));
    expect(held.backup.status).toMatchObject({ phase: 'Succeeded', type: 'Incremental', ...expected });
    expect(held.backup.status?.execution?.incrementalFallback).toBeUndefined();
    expect(await restoresExactly(tidemark, held)).toEqual(new Map([['root', true]]));
    expect(await checkpointsOf(vm)).toEqual([held.backup.status?.plan?.bitmap]);
    expect(await filesInPod(vm)).toEqual([]);
  }
});
