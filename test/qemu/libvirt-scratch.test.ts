import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { endBackup } from '../../src/node-agent/libvirt/backup.ts';
import { readBlockErrors } from '../../src/node-agent/libvirt/block-errors.ts';
import { readState, resumeDomain } from '../../src/node-agent/libvirt/domain.ts';
import { readJobInfo } from '../../src/node-agent/libvirt/job.ts';
import { installBootWriter, run } from '../support/launcher/index.ts';
import { until } from '../support/launcher/until.ts';
import { begin, socketInside, threeDisks, virshOf } from './libvirt-rig.ts';

test('a full scratch pauses the guest; ending the backup, then resuming, heals it', async () => {
  await using vm = await threeDisks('full');
  await installBootWriter(vm.disk('root'));
  await vm.start();
  const virsh = virshOf(vm);
  const inPod = ['nsenter', '-t', String(vm.launcher.initPid), '-m'];
  const scratchDirectory = '/run/kubevirt-ephemeral-disks';
  await run([...inPod, 'mount', '-t', 'tmpfs', '-o', 'size=1M,mode=0777', 'tmpfs', scratchDirectory]);
  // Zeros cost nothing in scratch: let the guest write its whole region once.
  await until('the guest wrote its region once', async () => {
    const { stdout } = await run([
      'virsh',
      '-q',
      '-c',
      vm.launcher.libvirtUri,
      'domblkstat',
      vm.domain,
      'vda',
    ]);
    return Number(/wr_bytes (\d+)/.exec(stdout)?.[1]) > 5 * 1024 * 1024;
  });

  const work = begin(vm, { name: 'one', scratchDirectory });
  await expect(work).rejects.toMatchObject({ reason: 'NoSpace' });
  await run([...inPod, 'mount', '-o', 'remount,size=3M', scratchDirectory]);
  await begin(vm, { name: 'one', scratchDirectory });
  await until('the guest is paused', async () => (await readState(virsh, vm.domain)).state === 'paused');
  expect(await readState(virsh, vm.domain)).toEqual({ state: 'paused', pausedReason: 'ioError' });
  expect(await readBlockErrors(virsh, vm.domain)).toEqual([{ target: 'vda', error: 'noSpace' }]);
  expect((await readJobInfo(virsh, vm.domain)).temporaryBytes).toBeGreaterThan(512 * 1024);

  expect(await endBackup(virsh, vm.domain, socketInside('one'))).toBe('Ended');
  expect(await readState(virsh, vm.domain)).toMatchObject({ state: 'paused' });
  await resumeDomain(virsh, vm.domain);
  await sleep(1000); // Long enough for some twenty writes.
  expect(await readState(virsh, vm.domain)).toEqual({ state: 'running', pausedReason: undefined });
  await resumeDomain(virsh, vm.domain);
});
