import { rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type DiskSpec,
  giveDisks,
  growWhileOff,
  growWhileRunning,
  KiB,
  MiB,
  plug,
  removeOverlays,
  type StandInVm,
  standInVm,
  unplug,
} from '../support/launcher/index.ts';
import { UNTRACKED_AT_ANNOTATION } from '../../src/domain/untracked.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

const OVERLAY: DiskSpec = { volume: 'root', kind: 'cbt', size: 8 * MiB };
const QCOW2 = { volume: 'data', kind: 'qcow2', size: 8 * MiB } as const;
const RAW: DiskSpec = { volume: 'plain', kind: 'raw', size: 4 * MiB };
const CDROM: DiskSpec = { volume: 'tools', kind: 'iso', size: 2 * MiB };

/** What happens to the VM between two backups, and what the backup after it is: type and reason of each disk. */
interface Row {
  readonly event: string;
  readonly happens: () => Promise<unknown>;
  /** What the controller planned: type, and reason. */
  readonly plan: string;
  /** What each disk got on the node. */
  readonly disks: Readonly<Record<string, string>>;
  /** Why the whole or a part of it was no incremental although one was planned. */
  readonly fallback?: string;
}

/** One VM, through everything that may happen to it between two backups; each row goes on where the last one ended. */
describe('after', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let count = 0;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    const { podsDir } = tidemark;
    vm = resources.use(
      await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks: [OVERLAY, QCOW2, RAW, CDROM] }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
  });
  afterAll(() => resources.disposeAsync());

  const incremental = 'Incremental: ChangedSinceParent';
  const untracked = { plain: 'Full: DiskNotTracked', tools: 'Full: DiskNotTracked' };
  const allIncremental = { root: incremental, data: incremental, ...untracked };
  const allFull = (why: string) => ({ root: `Full: ${why}`, data: `Full: ${why}`, ...untracked });

  const head = async () => (await checkpointsOf(vm)).find((name) => name.startsWith('backup-')) ?? '';

  /** A pause of the VM, in which something may happen to it. */
  async function whileOff(what: () => Promise<unknown> = async () => undefined): Promise<void> {
    await tidemark.kubevirt.stop(vm);
    await what();
    await tidemark.kubevirt.start(vm, NODE);
  }

  async function removeBitmap(volume: string, name: string): Promise<void> {
    const nodes = (await vm.qmp('query-named-block-nodes', { flat: true })) as {
      'node-name': string;
      file: string;
      drv: string;
    }[];
    const node = nodes.find(({ drv, file }) => drv === 'qcow2' && file.includes(`/${volume}`));
    await vm.qmp('block-dirty-bitmap-remove', { node: node?.['node-name'], name });
  }

  async function createTheirCheckpoint(): Promise<void> {
    await vm.virsh('checkpoint-create-as', vm.domain, 'theirs', '--diskspec', 'vda,checkpoint=bitmap');
  }

  /** The directory of the backup that the next one is to build upon. */
  async function newestIn(): Promise<string> {
    const { status } = await tidemark.backup(`after-${count - 1}`);
    return join(tidemark.repository, status?.plan?.path ?? '');
  }

  async function giveData(spec: DiskSpec): Promise<void> {
    await giveDisks(vm, [OVERLAY, spec, RAW, CDROM]);
    await tidemark.kubevirt.disksChanged(vm);
  }

  /** KubeVirt's label taken away and put back: a run on the raw disk, which the overlay with its bitmap hears nothing of. */
  async function runUntracked(): Promise<void> {
    const tracked = vm.disks;
    await tidemark.kubevirt.stop(vm);
    vm.disks = tracked
      .filter(({ kind }) => kind !== 'qcow2')
      .map((disk) => (disk.kind === 'cbt' ? Object.assign({}, disk, { kind: 'raw' as const }) : disk));
    await tidemark.kubevirt.start(vm, NODE);
    await vm.write('root', { pattern: 0x77, offset: 7 * MiB, length: 512 * KiB });
    const mark = ['-o', `jsonpath={.metadata.annotations.${UNTRACKED_AT_ANNOTATION.replaceAll('.', '\\.')}}`];
    const find = () => tidemark.cluster.kubectl(['-n', NAMESPACE, 'get', 'vm', vm.name, ...mark]);
    await eventually('the mark on the VM', async () => (await find()) || undefined);
    await tidemark.kubevirt.stop(vm);
    vm.disks = tracked;
    await tidemark.kubevirt.start(vm, NODE);
  }

  const rows: readonly Row[] = [
    {
      event: 'nothing: the first backup',
      happens: async () => undefined,
      plan: 'Full: NoEarlierBackup',
      disks: allFull('NoEarlierBackup'),
    },
    {
      event: 'a clean stop and start',
      happens: () => whileOff(),
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: 'a SIGKILL of libvirtd',
      happens: () => vm.killLibvirtd(),
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: "the loss of libvirt's checkpoint metadata",
      happens: async () => vm.virsh('checkpoint-delete', vm.domain, await head(), '--metadata'),
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: "someone else's checkpoint",
      happens: () => createTheirCheckpoint(),
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: 'the removal of the bitmap from one of two disks, behind our back',
      happens: async () => removeBitmap('data', await head()),
      plan: incremental,
      disks: { ...allIncremental, data: 'Full: BitmapMissing' },
      fallback: 'BitmapMissing: data',
    },
    {
      event: 'the loss of checkpoint and bitmaps on every disk',
      happens: async () => vm.virsh('checkpoint-delete', vm.domain, await head()),
      plan: incremental,
      disks: allFull('BitmapMissing'),
      fallback: 'BitmapMissing: root,data',
    },
    {
      event: 'a SIGKILL of QEMU with a bitmap of this run',
      happens: () => tidemark.kubevirt.crash(vm, NODE),
      plan: incremental,
      disks: allFull('BitmapMissing'),
      fallback: 'BitmapMissing: root,data',
    },
    {
      event: 'a SIGKILL of QEMU with an older bitmap',
      happens: async () => {
        await whileOff();
        await tidemark.kubevirt.crash(vm, NODE);
      },
      plan: incremental,
      disks: allFull('BitmapInconsistent'),
      fallback: 'BitmapInconsistent: root,data',
    },
    {
      event: "the parent's file of one disk was removed from the repository by hand",
      happens: async () => rm(join(await newestIn(), 'data.qcow2')),
      plan: incremental,
      disks: { ...allIncremental, data: 'Full: ParentDataMissing' },
      fallback: 'ParentDataMissing: data',
    },
    {
      event: "the parent's file of one disk was cut short by hand",
      happens: async () => truncate(join(await newestIn(), 'data.qcow2'), 64 * KiB),
      plan: incremental,
      disks: { ...allIncremental, data: 'Full: ParentDataDamaged' },
      fallback: 'ParentDataDamaged: data',
    },
    {
      event: 'the whole directory of the parent was removed by hand',
      happens: async () => rm(await newestIn(), { recursive: true }),
      plan: incremental,
      disks: allFull('ParentDataMissing'),
      fallback: 'ParentDataMissing: root,data',
    },
    {
      event: 'a disk was plugged in',
      happens: async () => {
        await plug(vm, { ...QCOW2, volume: 'hot' });
        await tidemark.kubevirt.disksChanged(vm);
      },
      plan: incremental,
      disks: { ...allIncremental, hot: 'Full: DiskNew' },
    },
    {
      event: 'another backup with the plugged disk',
      happens: async () => undefined,
      plan: incremental,
      disks: { ...allIncremental, hot: incremental },
    },
    {
      event: 'that disk was unplugged',
      happens: async () => {
        await unplug(vm, 'hot');
        await tidemark.kubevirt.disksChanged(vm);
      },
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: 'a disk grew under the running VM',
      happens: () => growWhileRunning(vm, 'data', 12 * MiB),
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: 'a disk was grown at the start of the VM',
      happens: () => whileOff(() => growWhileOff(vm, 'data', 16 * MiB)),
      plan: incremental,
      disks: allIncremental,
    },
    {
      event: 'a disk was replaced by another claim under the same volume name',
      happens: () => whileOff(() => giveData({ ...QCOW2, claim: 'db-data-2' })),
      plan: incremental,
      disks: { ...allIncremental, data: 'Full: DiskReplaced' },
    },
    {
      event: 'the VM was restored by another tool: claims of the same names, and bitmaps on their disks',
      happens: () => whileOff(() => tidemark.kubevirt.remake(vm, 'claims')),
      plan: 'Full: DiskReplaced',
      disks: allFull('DiskReplaced'),
    },
    {
      event: 'the VM was deleted and made again under its name',
      happens: () =>
        whileOff(async () => {
          await removeOverlays(vm);
          await tidemark.kubevirt.remake(vm, 'vm');
        }),
      plan: 'Full: VMReplaced',
      disks: allFull('VMReplaced'),
    },
    {
      event: 'a run without change tracking between two with it',
      happens: () => runUntracked(),
      plan: 'Full: VMRanUntracked',
      disks: allFull('VMRanUntracked'),
    },
    {
      event: 'all that: an incremental again',
      happens: async () => undefined,
      plan: incremental,
      disks: allIncremental,
    },
  ];

  test.each(rows)('$event', async ({ happens, plan, disks, fallback }) => {
    count += 1;
    for (const volume of ['root', 'data', 'plain'])
      await vm.write(volume, { pattern: count, offset: count * 128 * KiB, length: 64 * KiB });
    await happens();
    await vm.write('root', { pattern: 0x80 + count, offset: count * 128 * KiB, length: 4 * KiB });
    const foreign = (await checkpointsOf(vm)).filter((name) => !name.startsWith('backup-'));
    const point = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, `after-${count}`));
    const { status } = point.backup;
    expect(status?.phase, JSON.stringify(status?.execution?.error)).toBe('Succeeded');
    expect(`${status?.plan?.type}: ${status?.plan?.reason}`).toBe(plan);
    const got = status?.execution?.disks?.map(({ volume, type, reason }) => [volume, `${type}: ${reason}`]);
    expect(Object.fromEntries(got ?? [])).toEqual(disks);
    const why = status?.execution?.incrementalFallback;
    expect(why && `${why.reason}: ${why.disks.join()}`).toBe(fallback);
    const exact = await restoresExactly(tidemark, point);
    expect(exact).toEqual(new Map(vm.disks.map(({ volume }) => [volume, true])));
    expect((await checkpointsOf(vm)).toSorted()).toEqual([status?.plan?.bitmap, ...foreign]);
    expect(await vm.state()).toBe('running');
    expect(await hasBackupJob(vm)).toBe(false);
    expect(await filesInPod(vm)).toEqual([]);
    expect(await incomingIn(tidemark.repository)).toEqual([]);
  });
});
