import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { beginBackup, endBackup } from '../../src/node-agent/libvirt/backup.ts';
import {
  deleteCheckpoint,
  listCheckpoints,
  readCheckpoint,
} from '../../src/node-agent/libvirt/checkpoint.ts';
import { readState } from '../../src/node-agent/libvirt/domain.ts';
import { trackable } from '../../src/node-agent/libvirt/domain-xml.ts';
import { ensureCheckpointAbsent } from '../../src/node-agent/libvirt/ensure-absent.ts';
import { readJobInfo, readRunningBackup } from '../../src/node-agent/libvirt/job.ts';
import { connectVirsh } from '../../src/node-agent/libvirt/virsh.ts';
import { KiB, MiB, type StandInVm } from '../support/launcher/index.ts';
import { until } from '../support/launcher/until.ts';
import { begin, bitmapsOf, dirtyRanges, domainOf, socketInside, threeDisks, virshOf } from './libvirt-rig.ts';

describe('a running VM', () => {
  let vm: StandInVm;
  beforeAll(async () => {
    vm = await threeDisks('live');
    await vm.start();
  });
  afterAll(() => vm[Symbol.asyncDispose]());
  afterEach(async () => {
    const running = await readRunningBackup(virshOf(vm), vm.domain);
    if (running?.socket !== undefined) await endBackup(virshOf(vm), vm.domain, running.socket);
    const known = await listCheckpoints(virshOf(vm), vm.domain);
    for (const name of new Set([...known, ...Object.values(await bitmapsOf(vm)).flat()])) {
      await ensureCheckpointAbsent(virshOf(vm), vm.domain, { name, targets: ['vda', 'vdb', 'vdc'] });
    }
    expect(await bitmapsOf(vm)).toEqual({ root: [], data: [], logs: [] });
    expect(await listCheckpoints(virshOf(vm), vm.domain)).toEqual([]);
  });

  test('is read with its disks and its state', async () => {
    const domain = await domainOf(vm);
    expect(domain).toMatchObject({
      name: 'shop_live',
      uuid: vm.uuid,
      state: 'running',
      pausedReason: undefined,
    });
    expect(domain.disks.map((disk) => [disk.volume, disk.target, disk.dataStore, trackable(disk)])).toEqual([
      ['root', 'vda', true, true],
      ['data', 'vdb', false, true],
      ['logs', 'vdc', false, false],
    ]);
    expect(domain.xml).toContain('<domain type=');
  });

  test('says what is wrong when there is no such domain, or no libvirt', async () => {
    await expect(readState(virshOf(vm), 'shop_absent')).rejects.toMatchObject({ reason: 'DomainNotFound' });
    const nowhere = connectVirsh({ socket: '/nowhere/virtqemud-sock' });
    await expect(readState(nowhere, vm.domain)).rejects.toMatchObject({ reason: 'ConnectFailed' });
  });

  test('is backed up in full, raw disk included, with a checkpoint on the disks that can have one', async () => {
    const virsh = virshOf(vm);
    expect(await readJobInfo(virsh, vm.domain)).toMatchObject({ active: false });
    expect(await readRunningBackup(virsh, vm.domain)).toBeUndefined();

    expect(await begin(vm, { name: 'one', checkpoint: 'backup-1' })).toBe('Begun');
    expect(await readJobInfo(virsh, vm.domain)).toMatchObject({
      active: true,
      operation: 'backup',
      temporaryTotalBytes: 48 * MiB,
    });
    expect(await readRunningBackup(virsh, vm.domain)).toEqual({
      socket: socketInside('one'),
      disks: ['root', 'data', 'logs'].map((exportName, index) => ({
        target: `vd${'abc'[index]}`,
        exportName,
        incremental: undefined,
      })),
    });
    expect(await readCheckpoint(virsh, vm.domain, 'backup-1')).toMatchObject({ targets: ['vda', 'vdb'] });

    expect(await endBackup(virsh, vm.domain, socketInside('one'))).toBe('Ended');
    expect(await endBackup(virsh, vm.domain, socketInside('one'))).toBe('NotRunning');
    expect(await listCheckpoints(virsh, vm.domain)).toEqual(['backup-1']);
    expect(existsSync(`${vm.launcher.shortSocketsDir}/one.sock`)).toBe(false);
    expect(await readdir(vm.launcher.emptyDir('ephemeral-disks'))).toEqual([]);
  });

  test('is backed up by what changed, each disk since its own checkpoint', async () => {
    await begin(vm, { name: 'one', checkpoint: 'backup-1' });
    await endBackup(virshOf(vm), vm.domain, socketInside('one'));
    await vm.write('root', { pattern: 1, offset: 1 * MiB, length: 64 * KiB });
    await vm.write('data', { pattern: 1, offset: 2 * MiB, length: 64 * KiB });
    await begin(vm, { name: 'two', checkpoint: 'backup-2' });
    await endBackup(virshOf(vm), vm.domain, socketInside('two'));
    await vm.write('root', { pattern: 2, offset: 3 * MiB, length: 64 * KiB });
    await vm.write('data', { pattern: 2, offset: 4 * MiB, length: 64 * KiB });

    await begin(vm, { name: 'three', incremental: { root: 'backup-1', data: 'backup-2' } });
    expect(await dirtyRanges(vm, 'three', 'root')).toEqual([
      [1 * MiB, 64 * KiB],
      [3 * MiB, 64 * KiB],
    ]);
    expect(await dirtyRanges(vm, 'three', 'data')).toEqual([[4 * MiB, 64 * KiB]]);
  });

  test('refuses a second backup at once, and leaves the first alone', async () => {
    await begin(vm, { name: 'one' });
    const before = performance.now();
    await expect(begin(vm, { name: 'two', checkpoint: 'backup-2' })).rejects.toMatchObject({
      reason: 'Busy',
    });
    expect(performance.now() - before).toBeLessThan(25_000); // libvirt itself would hold it for 30 s.
    expect(await endBackup(virshOf(vm), vm.domain, socketInside('two'))).toBe('NotOurs');
    expect(await begin(vm, { name: 'one' })).toBe('Continued');
    expect(await readRunningBackup(virshOf(vm), vm.domain)).toMatchObject({ socket: socketInside('one') });
  });

  test('a begin that libvirt refused may leave its checkpoint behind', async () => {
    const full = { mode: 'full', exportName: 'same' } as const;
    const work = beginBackup(virshOf(vm), vm.domain, {
      backup: {
        socket: socketInside('broken'),
        disks: [
          { ...full, target: 'vda', scratch: '/var/run/kubevirt-ephemeral-disks/a' },
          { ...full, target: 'vdb', scratch: '/var/run/kubevirt-ephemeral-disks/b' },
          { target: 'vdc', mode: 'no' },
        ],
      },
      checkpoint: {
        name: 'broken',
        disks: ['vda', 'vdb', 'vdc'].map((target) => ({ target, tracked: target !== 'vdc' })),
      },
    });
    await expect(work).rejects.toMatchObject({ reason: 'ExportNameInUse' });
    expect(await readRunningBackup(virshOf(vm), vm.domain)).toBeUndefined();
    expect(await listCheckpoints(virshOf(vm), vm.domain)).toEqual(['broken']);
  });

  test('a begin whose client was killed starts nevertheless, as soon as libvirt can: why we never wait for it', async () => {
    await begin(vm, { name: 'one' });
    const xml =
      "<domainbackup mode='pull'><server transport='unix' socket='/run/kubevirt/sockets/late.sock'/><disks><disk name='vda' backup='yes' type='file'><scratch file='/run/kubevirt-ephemeral-disks/late'/></disk></disks></domainbackup>";
    const work = virshOf(vm)(['backup-begin', vm.domain], { files: [xml], timeoutMs: 2000 });
    await expect(work).rejects.toMatchObject({ reason: 'ClientTimeout' });
    expect(await endBackup(virshOf(vm), vm.domain, socketInside('one'))).toBe('Ended');
    await until('the late one runs', async () => {
      const running = await readRunningBackup(virshOf(vm), vm.domain);
      return running?.socket === '/run/kubevirt/sockets/late.sock';
    });
  });

  test('ends a backup that is being read, and one whose reader was killed', async () => {
    await begin(vm, { name: 'one' });
    const path = `${vm.launcher.shortSocketsDir}/one.sock`;
    const silent = connect(path);
    await once(silent, 'data');
    const reader = spawn('nbdcopy', [`nbd+unix:///root?socket=${path}`, 'null:'], { stdio: 'ignore' });
    await once(reader, 'spawn');
    reader.kill('SIGKILL');
    await once(reader, 'exit');
    expect(await endBackup(virshOf(vm), vm.domain, socketInside('one'))).toBe('Ended');
    silent.destroy();
  });

  test('a job outlives libvirt, and is still known for ours', async () => {
    await begin(vm, { name: 'one', checkpoint: 'backup-1' });
    await vm.killLibvirtd('SIGKILL');
    expect(await begin(vm, { name: 'one', checkpoint: 'backup-1' })).toBe('Continued');
    expect(await listCheckpoints(virshOf(vm), vm.domain)).toEqual(['backup-1']);
    expect(await endBackup(virshOf(vm), vm.domain, socketInside('one'))).toBe('Ended');
  });

  test('names the reason when a checkpoint or its bitmap is there already', async () => {
    await begin(vm, { name: 'one', checkpoint: 'backup-1' });
    await endBackup(virshOf(vm), vm.domain, socketInside('one'));
    const again = () => begin(vm, { name: 'two', checkpoint: 'backup-1' });
    await expect(again()).rejects.toMatchObject({ reason: 'CheckpointExists', bitmap: 'backup-1' });
    await deleteCheckpoint(virshOf(vm), vm.domain, 'backup-1', { metadataOnly: true });
    await expect(again()).rejects.toMatchObject({ reason: 'BitmapExists', bitmap: 'backup-1' });
  });

  test('names the disk that cannot be tracked, and the path that cannot be written', async () => {
    const disk = {
      target: 'vdc',
      mode: 'full',
      exportName: 'logs',
      scratch: '/var/run/kubevirt-ephemeral-disks/l',
    } as const;
    const backup = { socket: socketInside('one'), disks: [disk] };
    const checkpoint = { name: 'broken', disks: [{ target: 'vdc', tracked: true }] };
    const work = beginBackup(virshOf(vm), vm.domain, { backup, checkpoint });
    await expect(work).rejects.toMatchObject({ reason: 'DiskNotTrackable', disk: 'vdc' });
    for (const wrong of [
      { ...backup, socket: '/nowhere/one.sock' },
      { ...backup, disks: [{ ...disk, scratch: '/nowhere/l' }] },
    ]) {
      const work = beginBackup(virshOf(vm), vm.domain, { backup: wrong });
      await expect(work).rejects.toMatchObject({ reason: 'PathNotUsable' });
    }
  });
});
