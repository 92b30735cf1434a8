import { closeSync, constants, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { CLUSTER_BYTES } from '../../src/mover/qcow2/layout.ts';
import { StoredChain } from '../mover/support/stored-chain.ts';
import { type Finished, finish, lastEvent, MOVER, Workshop } from './mover-rig.ts';

/** Restores to real block devices: loop devices over files, full of old bytes. Needs root. */
const workshop = new Workshop();
const detach: (() => void)[] = [];
afterAll(async () => {
  for (const each of detach) each();
  await workshop[Symbol.asyncDispose]();
});

const MiB = 1024 * 1024;
const SIZE = 16 * MiB + 512;
const chain = new StoredChain(workshop.at('chain'));
let truth: Buffer;

beforeAll(async () => {
  const filled = Array.from({ length: 100 }, (_, i) => [i * 2, (i % 255) + 1] as const);
  await chain.add(SIZE, new Map([...filled, [256, 77]]));
  await chain.add(
    SIZE,
    new Map([...filled.slice(0, 40).map(([cluster]) => [cluster, 0] as const), [101, 9]]),
  );
  workshop.tool('qemu-img', 'convert', '-O', 'raw', chain.image(1), workshop.at('truth.raw'));
  truth = readFileSync(workshop.at('truth.raw'));
});

interface Device {
  readonly path: string;
  readonly backing: string;
}

let count = 0;
function loopDevice(bytes: number, ...flags: string[]): Device {
  const backing = workshop.at(`backing-${count++}`);
  writeFileSync(backing, Buffer.alloc(bytes, 0xee));
  return attach(backing, flags);
}

function attach(backing: string, flags: readonly string[] = []): Device {
  const path = workshop.tool('losetup', '--find', '--show', ...flags, backing).trim();
  detach.push(() => workshop.tool('losetup', '--detach', path));
  return { path, backing };
}

async function restore(to: string, ...more: string[]): Promise<Finished> {
  return await workshop.mover(
    'restore',
    '--from',
    chain.tip,
    '--volume',
    'vda',
    '--to',
    to,
    '--json',
    ...more,
  );
}

/** What is on a device, around any cache of the file beneath. */
function contentOf({ path }: Device, bytes: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const content = Buffer.alloc(bytes);
    expect(readSync(fd, content, 0, bytes, 0)).toBe(bytes);
    return content;
  } finally {
    closeSync(fd);
  }
}

function expectRestored(device: Device, deviceBytes: number): void {
  const content = contentOf(device, deviceBytes);
  expect(content.subarray(0, SIZE).equals(truth)).toBe(true);
  // What lies beyond the disk is not ours.
  expect(content.subarray(SIZE).every((byte) => byte === 0xee)).toBe(true);
}

describe('old bytes on a device never show through', () => {
  const bytes = 20 * MiB;

  test('where it can punch holes, it stays thin', async () => {
    const device = loopDevice(bytes);
    const done = await restore(device.path);
    expect([done.code, lastEvent(done)]).toMatchObject([
      0,
      { virtualSizeBytes: SIZE, bytesWritten: (100 - 40 + 1) * CLUSTER_BYTES + 512 },
    ]);
    expectRestored(device, bytes);
    expect(statSync(device.backing).blocks * 512).toBeLessThan(10 * MiB);
  });

  test('where it cannot, zeros are written', async () => {
    const device = loopDevice(bytes);
    const args = [
      'PATH=/nonexistent',
      ...MOVER,
      'restore',
      '--from',
      chain.tip,
      '--volume',
      'vda',
      '--to',
      device.path,
      '--json',
    ];
    const done = await finish(workshop.start('/usr/bin/env', args, 'pipe'));
    expect([done.code, lastEvent(done)]).toMatchObject([0, { bytesWritten: SIZE }]);
    expectRestored(device, bytes);
  });

  test('a device of just the size of the disk', async () => {
    const device = loopDevice(SIZE);
    expect(await restore(device.path)).toMatchObject({ code: 0 });
    expectRestored(device, SIZE);
  });

  test('a device with blocks of 4096 bytes, although the disk ends within one', async () => {
    const device = loopDevice(bytes, '--sector-size', '4096');
    expect(await restore(device.path)).toMatchObject({ code: 0 });
    expectRestored(device, bytes);
  });
});

describe('a device that cannot take the disk is left as it is', () => {
  test.each<[string, () => Device, string]>([
    ['too small by a sector', () => loopDevice(SIZE - 512), 'TargetTooSmall'],
    ['read-only', () => loopDevice(20 * MiB, '--read-only'), 'TargetDenied'],
    [
      'in use',
      () => {
        const device = loopDevice(20 * MiB);
        const fd = openSync(device.path, constants.O_RDWR | constants.O_EXCL);
        onTestFinished(() => closeSync(fd));
        return device;
      },
      'TargetBusy',
    ],
  ])('%s', async (_, make, reason) => {
    const device = make();
    const done = await restore(device.path);
    expect([done.code, lastEvent(done)['reason']]).toEqual([4, reason]);
    expect(lastEvent(done)['message']).toContain(device.path);
    expect(readFileSync(device.backing).every((byte) => byte === 0xee)).toBe(true);
  });
});

describe('a restore that stops in the middle says what the device holds now', () => {
  const warning = /now holds a part of the disk: restore it again before use/;

  test('SIGTERM', async () => {
    const device = loopDevice(20 * MiB);
    const args = [
      'restore',
      '--from',
      chain.tip,
      '--volume',
      'vda',
      '--to',
      device.path,
      '--limit',
      '1Mi',
      '--json',
    ];
    const child = workshop.start(MOVER[0], [MOVER[1], ...args], 'pipe');
    const finished = finish(child);
    await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
    await sleep(300);
    child.kill('SIGTERM');
    const done = await finished;
    expect([done.code, lastEvent(done)['reason']]).toEqual([5, 'Aborted']);
    expect(lastEvent(done)['message']).toMatch(warning);
  });

  test('a device that fails to write', async () => {
    // A thin file with less room beneath than it promises: the write is taken, and lost when it is synced.
    const root = workshop.at('small');
    workshop.tool('mkdir', root);
    workshop.tool('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', root);
    detach.push(() => workshop.tool('umount', root));
    workshop.tool('truncate', '--size', '32M', `${root}/thin`);
    const device = attach(`${root}/thin`);
    // Detached before the file system beneath is unmounted.
    detach.unshift(detach.pop()!);
    const done = await restore(device.path);
    expect([done.code, lastEvent(done)['reason']]).toEqual([
      4,
      expect.stringMatching(/^Target(Full|Failed)$/),
    ]);
    expect(lastEvent(done)['message']).toMatch(/I\/O error|full/);
    expect(lastEvent(done)['message']).toMatch(warning);
  });
});
