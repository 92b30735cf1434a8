import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adoptCheckpoint } from '../../src/node-agent/libvirt/bitmap.ts';
import { serveDisks } from '../../src/node-agent/offline/serve.ts';
import { readDomain } from '../../src/node-agent/libvirt/domain.ts';
import { connectVirsh } from '../../src/node-agent/libvirt/virsh.ts';
import {
  KiB,
  MiB,
  run,
  type ScratchDirectory,
  scratchDirectory,
  type StandInVm,
  standInVm,
} from '../support/launcher/index.ts';
import { OfflineRig, type Taken } from './offline-rig.ts';

describe('the backup of a stopped VM', () => {
  const resources = new AsyncDisposableStack();
  let vm: StandInVm;
  let rig: OfflineRig;
  let scratch: ScratchDirectory;
  const disks = () => vm.disks.map(({ volume }) => volume);

  beforeAll(async () => {
    scratch = resources.use<ScratchDirectory>(await scratchDirectory('tidemark-offline-'));
    vm = resources.use(
      await standInVm({
        ...{ namespace: 'shop', name: 'db' },
        disks: [
          { volume: 'root', kind: 'cbt', size: 32 * MiB },
          { volume: 'data', kind: 'cbt', size: 16 * MiB + 64 * KiB },
        ],
      }),
    );
    rig = await OfflineRig.make(scratch.path, vm);
    await mkdir(`${rig.repository}/c/shop`, { recursive: true });
    await vm.start();
    for (const volume of disks()) await vm.write(volume, { pattern: 0x41, offset: 0, length: 6 * MiB });
    await vm.shutdown();
  });
  afterAll(() => resources.disposeAsync());

  const types = ({ result }: Taken) => result.disks?.map(({ type, tracked }) => [type, tracked]);
  const changed = ({ result }: Taken) => result.disks?.map(({ dataBytes }) => dataBytes);

  async function exact(taken: Taken): Promise<void> {
    for (const volume of disks()) await rig.compare(taken, volume, (await vm.holds(volume)).file);
  }

  /** A day in the life of the VM: it starts, writes a little, and stops cleanly. */
  async function day(pattern: number): Promise<void> {
    await vm.start();
    await vm.write('root', { pattern, offset: MiB, length: 128 * KiB });
    await vm.writeZeroes('data', { offset: pattern * 64 * KiB, length: 64 * KiB });
    await vm.shutdown();
  }

  test('makes a chain: full, nothing changed, changed while it ran; libvirt takes the bitmap for its own', async () => {
    const full = await rig.backUp();
    expect(types(full)).toEqual([
      ['Full', true],
      ['Full', true],
    ]);
    await exact(full);
    const idle = await rig.backUp(full);
    expect(changed(idle)).toEqual([0, 0]);
    expect(types(idle)).toEqual([
      ['Incremental', true],
      ['Incremental', true],
    ]);
    await vm.start();
    const virsh = connectVirsh({ socket: vm.launcher.shortSocket });
    const domain = await readDomain(virsh, vm.domain);
    const targets = domain.disks.map(({ target }) => target);
    const checkpoint = { name: idle.bitmap, creationTimeSeconds: 1002, targets };
    expect([...(await adoptCheckpoint(virsh, domain, checkpoint)).values()]).toEqual(['usable', 'usable']);
    await vm.shutdown();
    await day(7);
    const next = await rig.backUp(idle);
    expect(changed(next)?.[0]).toBe(128 * KiB);
    await exact(next);
  });

  test('takes a full, and says why, when QEMU was killed', async () => {
    const before = await rig.backUp();
    await vm.start();
    await vm.write('root', { pattern: 9, offset: 0, length: MiB });
    await vm.kill9();
    await vm.killLauncher();
    const after = await rig.backUp(before);
    expect(after.result.incrementalFallback?.reason).toBe('BitmapInconsistent');
    expect(types(after)).toEqual([
      ['Full', true],
      ['Full', true],
    ]);
    await exact(after);
    await day(11);
    const next = await rig.backUp(after);
    expect(next.result.incrementalFallback).toBeUndefined();
    await exact(next);
  });

  test('gives way to a VM that runs', async () => {
    await vm.start();
    expect(await rig.carryOut(rig.order())).toEqual({ kind: 'Failed', reason: 'VMStarted' });
    await vm.shutdown();
  });

  test('keeps others from writing to a disk without overlay while it is read, and sees when somebody does', async () => {
    const path = join(scratch.path, 'raw.img');
    const disk = { volume: 'raw', data: { path, isDevice: false }, overlay: null, bitmaps: new Map() };
    await run(['qemu-img', 'create', '-q', '-f', 'raw', path, '1M']);
    const write = async () => await run(['qemu-io', '-f', 'raw', '-c', 'write 0 64k', path]);
    {
      await using _ = await serveDisks([disk], undefined, join(scratch.path, 'raw.sock'));
      await expect(write()).rejects.toThrow('Failed to get "write" lock');
    }
    await write();
    const vmHolds = spawn('qemu-io', ['-f', 'raw', path], { stdio: ['pipe', 'pipe', 'ignore'] });
    await once(vmHolds.stdout, 'data');
    await expect(serveDisks([disk], undefined, join(scratch.path, 'raw2.sock'))).rejects.toThrow(
      expect.objectContaining({ reason: 'VMStarted' }),
    );
    vmHolds.stdin.end('quit\n');
    await once(vmHolds, 'close');
  });

  test('killed at any step loses nothing: the next attempt ends it, and the one after is right', async () => {
    let parent = await rig.backUp();
    for (const [at, ms] of [300, 450, 550].entries()) {
      await day(20 + at);
      const order = rig.order(parent);
      await rig.carryOut(order, ms);
      const again = await rig.carryOut({
        ...order,
        plan: { ...order.plan, attempt: 2, bitmap: `backup-${2000 + at}` },
      });
      if (again.kind !== 'Good') throw new Error(`after ${ms} ms: ${JSON.stringify(again)}`);
      expect(again.taken.result.incrementalFallback).toBeUndefined();
      await exact(again.taken);
      const { bitmapCreated } = again.taken.result;
      // Killed between the commit and the new bitmap: nothing tells what changes from here on, and so it says.
      parent = bitmapCreated === undefined ? await rig.backUp() : { ...again.taken, bitmap: bitmapCreated };
    }
    await day(40);
    await exact(await rig.backUp(parent));
  });
});
