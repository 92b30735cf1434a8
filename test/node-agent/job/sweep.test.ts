import { expect, test } from 'vitest';
import type { VMBackup, VMBackupStatus } from '../../../src/crds/vmbackup.ts';
import { sweepDomain, wantedBitmaps } from '../../../src/node-agent/job/sweep.ts';
import { backup, execution, failure, plan, repository } from '../../domain/builders.ts';
import { FakeLibvirt } from '../libvirt/fake-libvirt.ts';

const { signal } = new AbortController();
const job =
  "<domainbackup mode='pull'><server socket='/s/tm-7.sock'/><disks><disk name='vda'/></disks></domainbackup>";

/** A VM in the middle of the backup `backup-7`, on top of `backup-6`. */
function inMidBackup(): FakeLibvirt {
  const libvirt = new FakeLibvirt(['vda', 'vdb']);
  libvirt.job = job;
  for (const name of ['backup-6', 'backup-7'])
    for (const bitmaps of libvirt.bitmaps.values()) bitmaps.set(name, 'good');
  return libvirt;
}

test('a job that nobody asks for is ended with its checkpoint, and the guest that it paused runs on', async () => {
  const libvirt = inMidBackup();
  libvirt.state = 'paused (I/O error)';
  expect(await sweepDomain(libvirt.virsh, 'shop_db', () => new Set(), signal)).toBe('backup-7');
  expect(libvirt.job).toBeUndefined();
  expect(libvirt.state).toBe('running (unpaused)');
  expect(libvirt.traces('backup-7')).toEqual([]);
  expect(libvirt.traces('backup-6')).toEqual(['vda', 'vdb']);
});

test('a guest that a person paused stays paused', async () => {
  const libvirt = inMidBackup();
  libvirt.state = 'paused (user)';
  await sweepDomain(libvirt.virsh, 'shop_db', () => new Set(), signal);
  expect(libvirt.state).toBe('paused (user)');
});

test.each([
  ['is asked for', job, ['backup-7']],
  ['is not ours', job.replace('tm-7', 'backup-nbd'), []],
])('a job that %s is left alone', async (_, running, wanted) => {
  const libvirt = inMidBackup();
  libvirt.job = running;
  expect(await sweepDomain(libvirt.virsh, 'shop_db', () => new Set(wanted), signal)).toBeUndefined();
  expect(libvirt.job).toBe(running);
});

test('a job that was planned while we looked is left alone', async () => {
  const libvirt = inMidBackup();
  const wanted = new Set<string>();
  libvirt.before = ([command]) => {
    if (command === 'backup-dumpxml') wanted.add('backup-7');
  };
  expect(await sweepDomain(libvirt.virsh, 'shop_db', () => wanted, signal)).toBeUndefined();
  expect(libvirt.job).toBe(job);
});

test('a job that ended well while we looked keeps its checkpoint: it is the head of a chain', async () => {
  const libvirt = inMidBackup();
  const wanted = () => {
    libvirt.job = undefined;
    return new Set<string>();
  };
  expect(await sweepDomain(libvirt.virsh, 'shop_db', wanted, signal)).toBeUndefined();
  expect(libvirt.traces('backup-7')).toEqual(['vda', 'vdb']);
});

const running = { plan: plan(), execution: execution({ completedAt: undefined }) };

test.each<[string, VMBackupStatus, readonly string[]]>([
  ['is planned', { plan: plan() }, ['backup-1000']],
  ['runs', running, ['backup-1000']],
  ['has succeeded', { plan: plan(), execution: execution() }, []],
  ['has failed', { plan: plan(), execution: execution({ error: failure }) }, []],
  ['was given up', { ...running, phase: 'Failed' }, []],
  ['is planned for another node', { plan: plan({ nodeName: 'n2' }) }, []],
])('an attempt that %s wants its job or not', (_, status, wanted) => {
  expect([...wantedOf(backup({ status }), true)]).toEqual(wanted);
});

test('a backup whose repository is gone wants no job', () => {
  expect([...wantedOf(backup({ status: running }), false)]).toEqual([]);
});

function wantedOf(object: VMBackup, withRepository: boolean): ReadonlySet<string> {
  const caches = {
    backups: { list: () => [object] },
    repositories: { get: () => (withRepository ? repository() : undefined) },
  };
  return wantedBitmaps({ nodeName: 'n1', caches, now: () => new Date() });
}
