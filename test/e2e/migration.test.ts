import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

const OTHER_NODE = 'node-2';

/** Each test goes on where the last one ended. The VM moves by a clean stop and a start: its disks and bitmaps are shared. */
describe('a VM that has to leave its node in the middle of a backup', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let parent: Point;

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

  test('on the new node the checkpoint is defined anew, and the incremental is exact', async () => {
    await tidemark.kubevirt.stop(vm);
    await tidemark.kubevirt.start(vm, OTHER_NODE);
    const held = await takePoint(tidemark, vm, () => Promise.resolve('interrupted'));
    expect(held.backup.status).toMatchObject({
      phase: 'Succeeded',
      type: 'Incremental',
      plan: { nodeName: OTHER_NODE, parent: { name: 'parent' } },
      execution: { agent: OTHER_NODE },
      attempts: [
        { attempt: 1, node: NODE, reason: 'MigrationWanted' },
        { attempt: 2, node: OTHER_NODE, reason: 'Succeeded' },
      ],
    });
    expect(held.backup.status?.execution?.incrementalFallback).toBeUndefined();
    expect(await restoresExactly(tidemark, held)).toEqual(new Map([['root', true]]));
    expect(await checkpointsOf(vm)).toEqual([held.backup.status?.plan?.bitmap]);
  });
});
