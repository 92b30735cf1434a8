import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { endBackup } from '../../src/node-agent/libvirt/backup.ts';
import {
  deleteCheckpoint,
  listCheckpoints,
  readChangedBytes,
  readCheckpoint,
  redefineCheckpoint,
} from '../../src/node-agent/libvirt/checkpoint.ts';
import { ensureCheckpointAbsent } from '../../src/node-agent/libvirt/ensure-absent.ts';
import { KiB, MiB, type StandInVm } from '../support/launcher/index.ts';
import {
  adopt,
  begin,
  bitmapsOf,
  dirtyRanges,
  domainOf,
  loseBitmap,
  socketInside,
  threeDisks,
  tracked,
  virshOf,
} from './libvirt-rig.ts';

/** A checkpoint on root and data, as a backup makes it. */
async function makeCheckpoint(vm: StandInVm, name: string): Promise<void> {
  const disks = ['vda,checkpoint=bitmap', 'vdb,checkpoint=bitmap', 'vdc,checkpoint=no'];
  await vm.virsh('checkpoint-create-as', vm.domain, name, ...disks.flatMap((disk) => ['--diskspec', disk]));
}

const absent = (vm: StandInVm, name: string, targets = tracked) =>
  ensureCheckpointAbsent(virshOf(vm), vm.domain, { name, targets });

test('restart: libvirt forgets the checkpoint; adopted again, it carries an exact incremental', async () => {
  await using vm = await threeDisks('restarted');
  await vm.start();
  await makeCheckpoint(vm, 'backup-1');
  await vm.write('root', { pattern: 1, offset: 1 * MiB, length: 64 * KiB });
  await vm.restart();
  await vm.write('root', { pattern: 2, offset: 5 * MiB, length: 64 * KiB });

  expect(await listCheckpoints(virshOf(vm), vm.domain)).toEqual([]);
  const incremental = { root: 'backup-1', data: 'backup-1' };
  await expect(begin(vm, { name: 'two', incremental })).rejects.toMatchObject({
    reason: 'CheckpointNotFound',
    bitmap: 'backup-1',
    disk: 'vda',
  });
  expect(await adopt(vm, 'backup-1')).toEqual({ vda: 'usable', vdb: 'usable' });
  expect(Object.fromEntries(await readChangedBytes(virshOf(vm), vm.domain, 'backup-1'))).toEqual({
    vda: 128 * KiB,
    vdb: 0,
  });
  await begin(vm, { name: 'two', incremental });
  expect(await dirtyRanges(vm, 'two', 'root')).toEqual([
    [1 * MiB, 64 * KiB],
    [5 * MiB, 64 * KiB],
  ]);
  expect(await dirtyRanges(vm, 'two', 'data')).toEqual([]);
});

test('kill -9: an old bitmap is inconsistent, a new one missing; both can be cleaned up, and a full goes on', async () => {
  await using vm = await threeDisks('killed');
  await vm.start();
  await makeCheckpoint(vm, 'backup-1');
  await vm.restart();
  await adopt(vm, 'backup-1');
  await makeCheckpoint(vm, 'backup-2');
  await begin(vm, { name: 'mid', incremental: { root: 'backup-2' } });
  await vm.kill9();
  expect(await domainOf(vm)).toMatchObject({ state: 'shut off' });
  expect(await endBackup(virshOf(vm), vm.domain, socketInside('mid'))).toBe('NotRunning');
  await expect(begin(vm, { name: 'off' })).rejects.toMatchObject({ reason: 'DomainNotRunning' });
  await vm.start();

  expect(await adopt(vm, 'backup-1')).toEqual({ vda: 'inconsistent', vdb: 'inconsistent' });
  expect(await adopt(vm, 'backup-2')).toEqual({ vda: 'missing', vdb: 'missing' });
  const define = { name: 'backup-1', creationTimeSeconds: 1, targets: tracked, validate: false };
  await redefineCheckpoint(virshOf(vm), vm.domain, define);
  const incremental = { root: 'backup-1', data: 'backup-1' };
  await expect(begin(vm, { name: 'three', incremental })).rejects.toMatchObject({
    reason: 'CheckpointInconsistent',
    bitmap: 'backup-1',
    disk: 'vda',
  });
  await begin(vm, { name: 'three', checkpoint: 'backup-3' });
  await endBackup(virshOf(vm), vm.domain, socketInside('three'));
  expect(await bitmapsOf(vm)).toMatchObject({ root: ['backup-1 (inconsistent)', 'backup-3'] });
  await absent(vm, 'backup-1');
  await absent(vm, 'backup-2');
  expect(await bitmapsOf(vm)).toEqual({ root: ['backup-3'], data: ['backup-3'], logs: [] });
});

describe('states of one checkpoint', () => {
  let vm: StandInVm;
  beforeAll(async () => {
    vm = await threeDisks('states');
    await vm.start();
  });
  afterAll(() => vm[Symbol.asyncDispose]());
  beforeEach(async () => {
    for (const name of ['mine', 'other']) await absent(vm, name);
    await makeCheckpoint(vm, 'other');
    await makeCheckpoint(vm, 'mine');
  });

  test('one disk loses its bitmap alone: the other goes on from it, in one job with a full of the first', async () => {
    await loseBitmap(vm, 'data', 'mine');
    expect(await adopt(vm, 'mine', ['vda', 'vdb', 'vdc', 'vdz'])).toEqual({
      vda: 'usable',
      vdb: 'missing',
      vdc: 'missing',
      vdz: 'missing',
    });
    expect(await readCheckpoint(virshOf(vm), vm.domain, 'mine')).toMatchObject({ targets: ['vda'] });
    await vm.write('root', { pattern: 3, offset: 2 * MiB, length: 64 * KiB });
    await begin(vm, { name: 'mixed', incremental: { root: 'mine' } });
    expect(await dirtyRanges(vm, 'mixed', 'root')).toEqual([[2 * MiB, 64 * KiB]]);
    expect(await endBackup(virshOf(vm), vm.domain, socketInside('mixed'))).toBe('Ended');
  });

  test.each<[string, () => Promise<void>]>([
    ['known, on every disk', async () => {}],
    [
      'forgotten, bitmaps there',
      () => deleteCheckpoint(virshOf(vm), vm.domain, 'mine', { metadataOnly: true }),
    ],
    ['known, bitmap missing on one disk', () => loseBitmap(vm, 'data', 'mine')],
    [
      'known, bitmap missing everywhere',
      async () => {
        await loseBitmap(vm, 'root', 'mine');
        await loseBitmap(vm, 'data', 'mine');
      },
    ],
    [
      'forgotten, bitmap missing on one disk',
      async () => {
        await loseBitmap(vm, 'root', 'mine');
        await deleteCheckpoint(virshOf(vm), vm.domain, 'mine', { metadataOnly: true });
      },
    ],
    [
      'known over one disk only',
      () =>
        redefineCheckpoint(virshOf(vm), vm.domain, {
          name: 'mine',
          creationTimeSeconds: 1,
          targets: ['vdb'],
          validate: true,
        }),
    ],
    [
      'known over a disk that was unplugged',
      () =>
        redefineCheckpoint(virshOf(vm), vm.domain, {
          name: 'mine',
          creationTimeSeconds: 1,
          targets: ['vdb', 'vdz'],
          validate: true,
        }),
    ],
    ['gone already', () => absent(vm, 'mine')],
    [
      'in a running backup',
      async () => void (await begin(vm, { name: 'busy', incremental: { root: 'mine' } })),
    ],
  ])('%s: ensureCheckpointAbsent removes it, twice over, and nothing else', async (_, prepare) => {
    await prepare();
    await absent(vm, 'mine', [...tracked, 'vdc']);
    await absent(vm, 'mine', [...tracked, 'vdc']);
    await endBackup(virshOf(vm), vm.domain, socketInside('busy'));
    expect(await listCheckpoints(virshOf(vm), vm.domain)).toEqual(['other']);
    expect(await bitmapsOf(vm)).toEqual({ root: ['other'], data: ['other'], logs: [] });
  });
});
