import { expect, test } from 'vitest';
import { beginBackup, endBackup } from '../../../src/node-agent/libvirt/backup.ts';
import { readBlockErrors } from '../../../src/node-agent/libvirt/block-errors.ts';
import { LibvirtError } from '../../../src/node-agent/libvirt/errors.ts';
import { parseJobInfo, parseRunningBackup } from '../../../src/node-agent/libvirt/job.ts';
import { FakeLibvirt, refuse } from './fake-libvirt.ts';

const backup = {
  socket: '/run/ours.sock',
  disks: [{ target: 'vda', mode: 'full', exportName: 'root', scratch: '/s' }],
} as const;
const checkpoint = { name: 'backup-7', disks: [{ target: 'vda', tracked: true }] };
const theirs = "<domainbackup mode='push'><disks><disk name='vda'/></disks></domainbackup>";

test('begins, and finds that it has begun when it is asked again', async () => {
  const libvirt = new FakeLibvirt(['vda']);
  expect(await beginBackup(libvirt.virsh, 'shop_db', { backup, checkpoint })).toBe('Begun');
  expect(await beginBackup(libvirt.virsh, 'shop_db', { backup, checkpoint })).toBe('Continued');
  expect(libvirt.calls.filter(([command]) => command === 'backup-begin')).toHaveLength(1);
});

test.each([
  ["KubeVirt's backup", theirs],
  ['a migration', 'migration'],
])('refuses at once, without asking libvirt to begin, while there is %s', async (_, job) => {
  const libvirt = new FakeLibvirt(['vda']);
  libvirt.job = job;
  await expect(beginBackup(libvirt.virsh, 'shop_db', { backup, checkpoint })).rejects.toMatchObject({
    reason: 'Busy',
  });
  expect(libvirt.calls.map(([command]) => command)).not.toContain('backup-begin');
});

test.each([
  ['has begun', true],
  ['has not begun', false],
])('when the client had to be killed, looks whether the backup %s', async (_, began) => {
  const libvirt = new FakeLibvirt(['vda']);
  const begin = beginBackup(
    async (args, call) => {
      if (args[0] !== 'backup-begin') return libvirt.virsh(args, call);
      if (began) await libvirt.virsh(args, call);
      throw new LibvirtError('no answer', { reason: 'ClientTimeout' });
    },
    'shop_db',
    { backup, checkpoint },
  );
  if (began) expect(await begin).toBe('Begun');
  else await expect(begin).rejects.toMatchObject({ reason: 'ClientTimeout' });
});

test('passes the refusal on when libvirt does not begin', async () => {
  const libvirt = new FakeLibvirt(['vda']);
  libvirt.before = ([command]) => {
    if (command === 'backup-begin') refuse("store '/s' for backup of 'vda' exists");
  };
  await expect(beginBackup(libvirt.virsh, 'shop_db', { backup })).rejects.toMatchObject({
    reason: 'ScratchExists',
    disk: 'vda',
  });
});

test('an abort before the begin prevents it, an abort after it does not cut it short', async () => {
  const stopping = new AbortController();
  const signals: (AbortSignal | undefined)[] = [];
  const libvirt = new FakeLibvirt(['vda']);
  await beginBackup(
    async (args, call, signal) => {
      if (args[0] === 'backup-begin') signals.push(signal);
      return libvirt.virsh(args, call);
    },
    'shop_db',
    { backup },
    stopping.signal,
  );
  expect(signals).toEqual([undefined]);
});

test('does not begin when the abort comes while it looks', async () => {
  const stopping = new AbortController();
  const libvirt = new FakeLibvirt(['vda']);
  libvirt.before = () => stopping.abort(new Error('stop'));
  const begin = beginBackup(libvirt.virsh, 'shop_db', { backup }, stopping.signal);
  await expect(begin).rejects.toThrow('stop');
  expect(libvirt.job).toBeUndefined();
});

test('ends our backup; ending it again is fine', async () => {
  const libvirt = new FakeLibvirt(['vda']);
  await beginBackup(libvirt.virsh, 'shop_db', { backup });
  expect(await endBackup(libvirt.virsh, 'shop_db', backup.socket)).toBe('Ended');
  expect(await endBackup(libvirt.virsh, 'shop_db', backup.socket)).toBe('NotRunning');
});

test.each([
  theirs,
  "<domainbackup mode='pull'><server socket='/run/other.sock'/><disks><disk name='vda'/></disks></domainbackup>",
])("never ends another's backup: %s", async (job) => {
  const libvirt = new FakeLibvirt(['vda']);
  libvirt.job = job;
  expect(await endBackup(libvirt.virsh, 'shop_db', backup.socket)).toBe('NotOurs');
  expect(libvirt.job).toBe(job);
});

test('ending waits until the job has gone', async () => {
  const libvirt = new FakeLibvirt(['vda']);
  await beginBackup(libvirt.virsh, 'shop_db', { backup });
  const job = libvirt.job;
  let looks = 0;
  const end = endBackup(
    async (args, call) => {
      if (args[0] === 'backup-dumpxml' && libvirt.job === undefined && ++looks < 3) return job ?? '';
      return libvirt.virsh(args, call);
    },
    'shop_db',
    backup.socket,
  );
  expect(await end).toBe('Ended');
  expect(looks).toBe(3);
});

test.each(["failed to get domain 'shop_db'", 'Requested operation is not valid: domain is not running'])(
  'a job has ended with its domain: %s',
  async (text) => {
    expect(await endBackup(async () => refuse(text), 'shop_db', backup.socket)).toBe('NotRunning');
  },
);

test('other refusals to end are told', async () => {
  const end = endBackup(async () => refuse('Failed to connect socket'), 'shop_db', backup.socket);
  await expect(end).rejects.toMatchObject({ reason: 'ConnectFailed' });
});

test.each([
  [
    'Job type: 0\n\n',
    {
      active: false,
      operation: 'unknown',
      temporaryBytes: 0,
      temporaryTotalBytes: 0,
      elapsedMilliseconds: 0,
    },
  ],
  [
    'Job type: 2\n\noperation: 9\ntime_elapsed: 142\ndisk_temp_used: 65536\ndisk_temp_total: 83886080\n',
    {
      active: true,
      operation: 'backup',
      temporaryBytes: 65_536,
      temporaryTotalBytes: 83_886_080,
      elapsedMilliseconds: 142,
    },
  ],
  ['Job type: 1\n\noperation: 5\ntime_elapsed: 1\n', { active: true, operation: 'outgoing migration' }],
  ['Job type: 3\n\noperation: 9\n', { active: false, operation: 'backup' }],
  ['Job type: 2\n\noperation: 99\n', { active: true, operation: 'unknown' }],
])('domjobinfo says %j', (text, info) => {
  expect(parseJobInfo(text)).toMatchObject(info);
});

test('domjobinfo without a job type is an unexpected answer', () => {
  expect(() => parseJobInfo('')).toThrow(expect.objectContaining({ reason: 'UnexpectedAnswer' }));
});

test('reads the running backup as libvirt 11.3 tells it', () => {
  const xml = `<domainbackup mode='pull'>
  <server transport='unix' socket='/run/kubevirt/sockets/i.sock'/>
  <disks>
    <disk name='vda' backup='yes' type='file' backupmode='incremental' incremental='c1' exportname='r' exportbitmap='dirty' index='12'>
      <driver type='qcow2'/>
      <scratch file='/run/kubevirt/sockets/i-a'/>
    </disk>
    <disk name='vdb' backup='yes' type='file' backupmode='full' exportname='d' index='13'/>
    <disk name='vdc' backup='no'/>
  </disks>
</domainbackup>`;
  expect(parseRunningBackup(xml)).toEqual({
    socket: '/run/kubevirt/sockets/i.sock',
    disks: [
      { target: 'vda', exportName: 'r', incremental: 'c1' },
      { target: 'vdb', exportName: 'd', incremental: undefined },
    ],
  });
});

test('a push backup has no socket', () => {
  expect(parseRunningBackup(theirs)).toMatchObject({ socket: undefined, disks: [{ target: 'vda' }] });
});

test.each([
  ['No errors found\n', []],
  [
    'vda: no space\nvdb: unspecified error\n',
    [
      { target: 'vda', error: 'noSpace' },
      { target: 'vdb', error: 'unspecified' },
    ],
  ],
])('domblkerror says %j', async (text, errors) => {
  expect(await readBlockErrors(async () => text, 'shop_db')).toEqual(errors);
});
