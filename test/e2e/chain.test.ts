import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { KiB, MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { checkpointsOf, filesInPod, hasBackupJob } from '../support/tidemark/leftovers.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import {
  compressedClusters,
  qemuReadsExactly,
  restoresExactly,
  verifyChain,
} from '../support/tidemark/restore.ts';

/** One VM with an overlay disk and a plain qcow2, through the life of a chain; each test goes on where the last one ended. */
describe('a chain, from real objects to restored bytes', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let full: Point;
  let zeroed: Point;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    vm = resources.use(
      await standInVm({
        namespace: NAMESPACE,
        name: 'db',
        podsDir: tidemark.podsDir,
        disks: [
          { volume: 'root', kind: 'cbt', size: 32 * MiB },
          { volume: 'data', kind: 'qcow2', size: 32 * MiB },
        ],
      }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    for (const volume of ['root', 'data'])
      await vm.write(volume, { pattern: 0x41, offset: 0, length: 4 * MiB });
  });
  afterAll(() => resources.disposeAsync());

  const take = (name: string, settings = {}) =>
    takePoint(tidemark, vm, () => backUpNow(tidemark, vm, name, settings));

  async function expectExact(point: Point): Promise<void> {
    expect(point.backup.status?.phase).toBe('Succeeded');
    expect(await restoresExactly(tidemark, point)).toEqual(
      new Map([
        ['root', true],
        ['data', true],
      ]),
    );
    await verifyChain(tidemark, point);
  }

  async function expectQemuReads(point: Point): Promise<void> {
    expect([...(await qemuReadsExactly(tidemark, point)).values()]).toEqual([true, true]);
  }

  const checkpoints = () => checkpointsOf(vm);

  test('the first backup is full, and says why', async () => {
    full = await take('first');
    expect(full.backup.status).toMatchObject({
      type: 'Full',
      typeReason: 'NoEarlierBackup',
      chain: { id: full.backup.metadata.uid, position: 0 },
      execution: { bitmapCreated: full.backup.status?.plan?.bitmap, quiesce: { result: 'NoAgent' } },
    });
    await expectExact(full);
  });

  test('after writes, write -z and discard, an incremental compressed by zstd restores byte for byte on both kinds of disk', async () => {
    for (const volume of ['root', 'data']) {
      await vm.write(volume, { pattern: 0x42, offset: 5 * MiB, length: 100 * KiB });
      await vm.writeZeroes(volume, { offset: MiB, length: 128 * KiB });
      await vm.discard(volume, { offset: 2 * MiB, length: 256 * KiB });
    }
    zeroed = await take('second', { compression: { algorithm: 'Zstd' } });
    expect(zeroed.backup.status).toMatchObject({
      type: 'Incremental',
      chain: { id: full.backup.metadata.uid, position: 1 },
    });
    for (const disk of zeroed.backup.status?.execution?.disks ?? []) {
      expect(disk.dataBytes).toBeLessThan(MiB);
      expect(disk.zeroBytes).toBeGreaterThan(0);
      expect(await compressedClusters(tidemark, zeroed, disk.volume)).toBeGreaterThan(0);
    }
    await expectExact(zeroed);
    await expectQemuReads(zeroed);
    await expectExact(full);
  });

  test('only the checkpoint of the newest backup is left, and no job, scratch or socket', async () => {
    expect(await checkpoints()).toEqual([zeroed.backup.status?.plan?.bitmap]);
    expect(await hasBackupJob(vm)).toBe(false);
    expect(await filesInPod(vm)).toEqual([]);
  });

  test('an incremental of an idle VM is next to nothing', async () => {
    const idle = await take('idle');
    expect(idle.backup.status).toMatchObject({ type: 'Incremental', chain: { position: 2 } });
    expect(idle.backup.status?.execution?.disks?.map((disk) => disk.dataBytes)).toEqual([0, 0]);
    await expectExact(idle);
  });

  test('after a restart of the VM, the checkpoint is defined anew and the chain goes on', async () => {
    await vm.write('root', { pattern: 0x43, offset: 7 * MiB, length: 64 * KiB });
    await tidemark.kubevirt.restart(vm, NODE);
    expect(await checkpoints()).toEqual([]);
    await vm.write('data', { pattern: 0x44, offset: 8 * MiB, length: 64 * KiB });
    const after = await take('after-restart');
    expect(after.backup.status).toMatchObject({ type: 'Incremental', chain: { position: 3 } });
    expect(after.backup.status?.execution?.incrementalFallback).toBeUndefined();
    await expectExact(after);
    await expectQemuReads(after);
  });

  test('a bitmap removed behind our back from one disk of two makes that disk full, and it alone', async () => {
    const node = await formatNodeOf('data');
    const bitmap = (await checkpoints())[0];
    await vm.qmp('block-dirty-bitmap-remove', { node, name: bitmap });
    await vm.write('data', { pattern: 0x45, offset: 9 * MiB, length: 64 * KiB });
    const mixed = await take('one-bitmap-lost');
    expect(mixed.backup.status).toMatchObject({
      type: 'Incremental',
      chain: { position: 4 },
      execution: {
        incrementalFallback: { reason: 'BitmapMissing', disks: ['data'] },
        disks: [
          { volume: 'root', type: 'Incremental' },
          { volume: 'data', type: 'Full', reason: 'BitmapMissing' },
        ],
      },
    });
    await expectExact(mixed);
    const next = await take('after-one-bitmap-lost');
    expect(next.backup.status).toMatchObject({ type: 'Incremental', chain: { position: 5 } });
    expect(next.backup.status?.execution?.incrementalFallback).toBeUndefined();
    await expectExact(next);
  });

  test('after a SIGKILL of QEMU, a full begins a new chain, and the reason is in status, event and log', async () => {
    await vm.write('root', { pattern: 0x46, offset: 10 * MiB, length: 64 * KiB });
    await tidemark.kubevirt.crash(vm, NODE);
    const after = await take('after-kill');
    const { metadata, status } = after.backup;
    expect(status?.plan?.type).toBe('Incremental');
    expect(status).toMatchObject({ type: 'Full', chain: { id: metadata.uid, position: 0 } });
    const reason = status?.execution?.incrementalFallback?.reason;
    expect(reason).toMatch(/^Bitmap(Missing|Inconsistent)$/);
    expect(status?.typeReason).toBe(reason);
    expect(await tidemark.agent.log()).toContain(`"reason":"${reason}"`);
    const events = await tidemark.cluster.kubectl([
      '-n',
      NAMESPACE,
      'get',
      'events.events.k8s.io',
      '-o',
      'json',
    ]);
    expect(events).toContain(`${reason}`);
    await expectExact(after);
    expect(await checkpoints()).toEqual([status?.plan?.bitmap]);
  });

  test('a parent whose image was damaged in the repository is not built upon', async () => {
    const parent = (await tidemark.backup('after-kill')).status?.plan?.path ?? '';
    const image = join(tidemark.repository, parent, 'data.qcow2');
    const bytes = await readFile(image);
    await writeFile(image, bytes.subarray(0, bytes.length - 65_536));
    const after = await take('after-damage');
    expect(after.backup.status?.execution?.incrementalFallback).toMatchObject({
      reason: 'ParentDataDamaged',
    });
    expect(
      await restoresExactly(tidemark, after).catch(() => 'root stands on the damaged backup'),
    ).toBeDefined();
    const disks = after.backup.status?.execution?.disks ?? [];
    expect(disks.find(({ volume }) => volume === 'data')).toMatchObject({
      type: 'Full',
      reason: 'ParentDataDamaged',
    });
  });

  test('when the chain is complete, a full begins the next one and takes away the checkpoint of the last', async () => {
    const next = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'next-chain', { fullEvery: 1 }));
    const { metadata, status } = next.backup;
    expect(status).toMatchObject({ typeReason: 'ChainComplete', chain: { id: metadata.uid, position: 0 } });
    await expectExact(next);
    expect(await checkpoints()).toEqual([status?.plan?.bitmap]);
  });

  test('each repository has a chain of its own: a backup into one leaves the checkpoint of the other', async () => {
    const spec = { local: { path: tidemark.repository }, allowedNamespaces: [NAMESPACE] };
    const apiVersion = 'backup.tidemark.dev/v1alpha1';
    const metadata = { name: 'attic' };
    await tidemark.apply({ apiVersion, kind: 'VMBackupRepository', metadata, spec });
    const attic = async (name: string) => {
      await backUpNow(tidemark, vm, name, { repository: 'attic' });
      return (await tidemark.ended(name)).status;
    };
    const nas = (await tidemark.backup('next-chain')).status?.plan?.bitmap;
    const first = await attic('attic-first');
    expect(first).toMatchObject({ phase: 'Succeeded', typeReason: 'NoEarlierBackup' });
    expect(await checkpoints()).toEqual([nas, first?.plan?.bitmap]);
    await vm.write('root', { pattern: 0x47, offset: 11 * MiB, length: 64 * KiB });
    const second = await attic('attic-second');
    expect(second).toMatchObject({ type: 'Incremental', chain: { position: 1 } });
    expect(await checkpoints()).toEqual([nas, second?.plan?.bitmap]);
    const back = await take('back-in-nas');
    expect(back.backup.status).toMatchObject({ type: 'Incremental', chain: { position: 1 } });
    await expectExact(back);
    expect(await checkpoints()).toEqual([second?.plan?.bitmap, back.backup.status?.plan?.bitmap]);
  });

  /** The QEMU node of a disk's top image. */
  async function formatNodeOf(volume: string): Promise<string> {
    const nodes = (await vm.qmp('query-named-block-nodes', { flat: true })) as {
      'node-name': string;
      file: string;
      drv: string;
    }[];
    const found = nodes.find(({ drv, file }) => drv === 'qcow2' && file.includes(`/${volume}`));
    if (found === undefined) throw new Error(`no qcow2 node for ${volume} in ${JSON.stringify(nodes)}`);
    return found['node-name'];
  }
});
