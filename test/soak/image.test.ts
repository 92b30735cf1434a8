import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundle } from '../../hack/build/bundle.ts';
import { programs } from '../../hack/build/programs.ts';
import { type OfflineOrder, orderToEnvironment } from '../../src/domain/offline-order.ts';
import { commandAt } from '../../src/node-agent/repository/mount-command.ts';
import { placeOf } from '../../src/node-agent/repository/place.ts';
import { plan } from '../domain/builders.ts';
import { same, Workshop } from '../qemu/mover-rig.ts';
import { Chroot } from '../support/image/chroot.ts';
import { parseContainerfile } from '../support/image/containerfile.ts';
import { run } from '../support/launcher/command.ts';

const ROOT = { volume: 'root', type: 'Full', reason: 'NoEarlierBackup' } as const;

/** The Containerfile, step by step in a Debian of the same release: no container engine is needed, and none is imitated. */
describe('the image', () => {
  const root = join(import.meta.dirname, '../..');
  const workshop = new Workshop();
  let image: Chroot;

  beforeAll(async () => {
    const context = workshop.at('context');
    await mkdir(context);
    await bundle(root, join(context, 'dist'), programs);
    await run(['cp', join(root, 'LICENSE'), join(root, 'package.json'), context]);
    const instructions = parseContainerfile(await readFile(join(root, 'Containerfile'), 'utf8'));
    const base = instructions.findLast(({ name }) => name === 'FROM')?.words ?? '';
    const release = /debian:(\w+)-slim@/.exec(base)?.[1] ?? '';
    image = new Chroot(workshop.at('root'));
    await run(['mmdebstrap', '--quiet', '--variant=minbase', release, image.root]);
    await image.build(instructions, context);
  }, 600_000);
  afterAll(() => workshop[Symbol.asyncDispose]());

  test('runs as the user of KubeVirt’s QEMU, and can write nowhere in itself', async () => {
    expect((await image.run(['id', '-u'])).stdout.trim()).toBe('107');
    await expect(image.run(['touch', '/opt/tidemark/x'])).rejects.toThrow('Read-only file system');
  });

  test('has what the agent and the mover call', async () => {
    const called = ['virsh', 'qemu-img', 'qemu-storage-daemon', 'mount', 'umount', 'unshare', 'fallocate'];
    const helpers = ['mount.nfs', 'mount.cifs', 'mount.ceph'];
    for (const name of [...called, ...helpers]) await image.run(['sh', '-c', `command -v ${name}`]);
    for (const name of ['qemu-img', 'qemu-storage-daemon']) await image.run([name, '--version']);
    expect((await image.run(['virsh', '--version'])).stdout).toMatch(/^1[1-9]\./);
  });

  test('has no program that gains rights but those that mount', async () => {
    const { stdout } = await run([
      'find',
      image.root,
      '-xdev',
      '-perm',
      '/6000',
      '-type',
      'f',
      '-printf',
      '%f\\n',
    ]);
    expect(stdout.trim().split('\n').sort()).toEqual(['mount', 'mount.ceph', 'mount.cifs', 'mount.nfs']);
    const { stdout: capable } = await run(['getcap', '-r', image.root]);
    expect(capable.trim()).toBe(`${join(image.root, 'usr/bin/unshare')} cap_sys_admin=ep`);
  });

  /** Nothing answers at that address, or the kernel here has no such file system: either is told after all that rights decide. */
  const NO_SERVER = /No such device|not supported by the system|Connection refused|could not connect/;
  const share = {
    server: '127.0.0.1',
    share: 'vms',
    version: '3.1.1',
    encrypt: false,
    secretName: 's',
  } as const;

  test.each([
    ['an export', { nfs: { server: '127.0.0.1', path: '/vms', version: '4.2' as const } }, '+sys_admin'],
    ['a share', { cifs: share }, '+sys_admin,+dac_override,+dac_read_search'],
  ])('mounts %s for an agent that is not root', async (_, where, capabilities) => {
    const credentials = 'printf "username=a\\npassword=b\\n\\n" | "$@"';
    const command = commandAt(placeOf('nas', where, {}), ['true']);
    const attempt = image.runAsAgent(['sh', '-c', credentials, 'sh', ...command], capabilities);
    await expect(attempt).rejects.toThrow(NO_SERVER);
  });

  test('cannot mount a share without the capabilities that mount.cifs takes', async () => {
    const command = commandAt(placeOf('nas', { cifs: share }, {}), ['true']);
    const attempt = image.runAsAgent(['sh', '-c', '"$@" </dev/null', 'sh', ...command]);
    await expect(attempt).rejects.toThrow('Unable to apply new capability set.');
  });

  test.each(['tidemark-controller', 'tidemark-node-agent'])(
    'starts %s, which says what it lacks',
    async (name) => {
      await expect(
        image.run([name, '--node-name=n1'].slice(0, name.endsWith('agent') ? 2 : 1)),
      ).rejects.toThrow(/NoCluster|No cluster/);
    },
  );

  test('shows the commands of kubectl tidemark', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
    expect((await image.run(['kubectl-tidemark', '--version'])).stdout.trim()).toBe(version);
  });

  test('backs the disk of a stopped VM up, as its Job is told', async () => {
    const disk = workshop.at('stopped.raw');
    workshop.tool('qemu-img', 'create', '-q', '-f', 'raw', disk, '8M');
    workshop.tool('qemu-io', '-f', 'raw', '-c', 'write -q -P 0x42 3M 1M', disk);
    await mkdir(workshop.at('nas'));
    workshop.tool('chmod', '-R', 'a+rwX', workshop.at());
    const path = 'c/shop/db-1a2b3c4d/20261123T020000Z-5e6f7a8b';
    const order: OfflineOrder = {
      backup: { name: 'b', namespace: 'shop', uid: 'b', vmName: 'db' },
      plan: plan({ path, nodeName: '', job: 'b-1', parent: undefined, type: 'Full', disks: [ROOT] }),
      repository: '/mnt/nas',
      overlays: null,
      disks: [{ volume: 'root', path: '/mnt/stopped.raw', isDevice: false }],
      definitions: { vmUid: 'vm', objects: {}, files: [] },
    };
    const variables = Object.entries(orderToEnvironment(order)).map(([name, value]) => `${name}=${value}`);
    await image.run(['env', 'HOME=/tmp', ...variables, 'node', 'dist/offline-backup.js'], workshop.at());
    const stored = workshop.at('nas', path, 'root.qcow2');
    workshop.tool('qemu-img', 'compare', '-q', '-f', 'raw', '-F', 'qcow2', disk, stored);
  });

  test('backs a disk up and restores it, with the threads that do the work', async () => {
    const disk = workshop.at('disk.qcow2');
    workshop.tool('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '8M');
    workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 0x41 1M 2M', disk);
    workshop.tool('qemu-img', 'convert', '-O', 'raw', disk, workshop.at('truth.raw'));
    await using served = await workshop.serve(disk, 'qcow2');
    const inside = (path: string): string => path.replaceAll(workshop.at(), '/mnt');
    await mkdir(workshop.at('share'));
    workshop.tool('chown', '-R', '107:0', workshop.at('share'));
    workshop.tool('chmod', '-R', 'a+rwX', workshop.at());
    const mover = (...args: string[]) =>
      image.run(['node', 'dist/mover.js', ...args.map(inside)], workshop.at());
    const at = workshop.at('share', 'c/shop/db-1a2b3c4d/20261123T020000Z-5e6f7a8b');
    await mover('backup', '--source', served.uri, '--volume', 'root', '--to', at, '--compress', 'zstd');
    await mover('verify', at);
    await mover('restore', '--from', at, '--volume', 'root', '--to', workshop.at('share', 'root.raw'));
    expect(same(workshop.at('share', 'root.raw'), workshop.at('truth.raw'))).toBe(true);
  });
});
