import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { installBootWriter, MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { moversOf, signal } from '../support/tidemark/faults.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

/** What the node has for its pods: the guest can overwrite more than that. */
const NODE_BYTES = 8 * MiB;
const REGION = 12 * MiB;

/** A guest that writes a megabyte a second through its virtual disk, and a copy that stands still. The tests go on from one another. */
describe('while a copy stands still, a guest that overwrites its disk', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;

  beforeAll(async () => {
    tidemark = resources.use(
      await installTidemark({ podsBytes: NODE_BYTES, agentFlags: [`--bandwidth-limit=${8 * MiB}`] }),
    );
    const { podsDir } = tidemark;
    const disks = [{ volume: 'root', kind: 'cbt', size: 16 * MiB }] as const;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    await installBootWriter(vm.disk('root'), REGION);
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    await backUpNow(tidemark, vm, 'parent');
    expect((await tidemark.ended('parent')).status?.phase).toBe('Succeeded');
    await hasWritten(REGION / 2);
  });
  afterAll(() => resources.disposeAsync());

  async function writtenBytes(): Promise<number> {
    return Number(/wr_bytes (\d+)/.exec(await vm.virsh('domblkstat', vm.domain, 'vda'))?.[1]);
  }

  async function hasWritten(bytes: number): Promise<void> {
    const before = await writtenBytes();
    await eventually('writes', async () => (await writtenBytes()) >= before + bytes || undefined);
  }

  /** Begins a backup, and stops its mover in the middle. What it reports of its one attempt is given back. */
  async function stuck(name: string, meanwhile = async () => {}) {
    await backUpNow(tidemark, vm, name, { backoffLimit: 0 });
    await eventually(
      'the copy',
      async () => (await incomingIn(tidemark.repository)).length > 1 || undefined,
      60,
      20,
    );
    signal(await moversOf(tidemark), 'SIGSTOP');
    await meanwhile();
    const { status } = await tidemark.ended(name);
    expect(status?.phase).toBe('Failed');
    return status?.execution?.error;
  }

  /** As before the backup that gave way: the guest runs and writes, and the parent's checkpoint is the only one. */
  async function expectAsBefore(): Promise<void> {
    expect(await vm.state()).toBe('running');
    await hasWritten(MiB);
    expect(await hasBackupJob(vm)).toBe(false);
    expect(await filesInPod(vm)).toEqual([]);
    expect(await checkpointsOf(vm)).toEqual([(await tidemark.backup('parent')).status?.plan?.bitmap]);
    expect(await incomingIn(tidemark.repository)).toEqual([]);
  }

  test('costs the backup its job before half of the free space is gone, and the guest nothing', async () => {
    const error = await stuck('over-budget');
    const words = '--scratch-share=50 of the node agent';
    expect(error).toMatchObject({ reason: 'ScratchBudgetExceeded', message: expect.stringContaining(words) });
    await expectAsBefore();
  });

  test('is paused when the agent stands still as well, and runs on as soon as that looks again', async () => {
    const error = await stuck('no-room', async () => {
      await tidemark.agent.kill('SIGSTOP');
      await eventually('the pause', async () => (await vm.state()) === 'paused' || undefined);
      await tidemark.agent.kill('SIGCONT');
    });
    // To pause, QEMU waits for all that is under way. If that is an answer to the mover that stands still, it cannot say what happened.
    const words = 'on vda while the backup ran, for want of room for its scratch files';
    if (error?.reason !== 'GuestSilent')
      expect(error).toMatchObject({ reason: 'GuestPaused', message: expect.stringContaining(words) });
    await expectAsBefore();
  });

  test('has lost nothing: the next incremental holds all since the parent', async () => {
    await vm.virsh('suspend', vm.domain);
    const point = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'next'));
    expect(point.backup.status).toMatchObject({
      phase: 'Succeeded',
      type: 'Incremental',
      plan: { parent: { name: 'parent' } },
    });
    expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
    expect(await vm.state()).toBe('paused'); // as its owner left it
  });
});
