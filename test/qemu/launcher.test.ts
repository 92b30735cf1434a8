import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  inNodeNamespace,
  installBootWriter,
  KiB,
  MiB,
  run,
  standInVm,
  type StandInVm,
} from '../support/launcher/index.ts';
import { isAlive } from '../support/launcher/processes.ts';
import { until } from '../support/launcher/until.ts';

const size = 32 * MiB;
const allKinds = [
  { volume: 'root', kind: 'cbt', size },
  { volume: 'data', kind: 'qcow2', size },
  { volume: 'logs', kind: 'raw', size },
] as const;

describe('a running stand-in', () => {
  let vm: StandInVm;
  beforeAll(async () => {
    vm = await standInVm({ namespace: 'shop', name: 'db', disks: allKinds });
    await vm.start();
  });
  afterAll(() => vm[Symbol.asyncDispose]());

  test('is the domain <namespace>_<name>, persistent, with an alias and a target for each volume', async () => {
    expect(await vm.virsh('list', '--name', '--persistent', '--state-running')).toBe('shop_db\n');
    const xml = await vm.virsh('dumpxml', 'shop_db');
    expect(xml).toContain("<alias name='ua-root'/>");
    expect(xml).toMatch(/<dataStore type='file'.*>/);
    expect(
      (await vm.virsh('domblklist', 'shop_db')).split('\n').map((line) => line.split(/\s+/).slice(1)),
    ).toEqual([
      ['vda', '/var/run/kubevirt-private/libvirt/qemu/cbt/root.qcow2'],
      ['vdb', '/var/run/kubevirt-private/vmi-disks/data/disk.qcow2'],
      ['vdc', '/var/run/kubevirt-private/vmi-disks/logs/disk.img'],
      [],
    ]);
  });

  test('runs QEMU and libvirtd as uid 107, libvirtd by the name of virtqemud', async () => {
    const processes = await vm.launcher.processes();
    expect(processes.map(({ name }) => name)).toEqual(['virtqemud', 'qemu-system-x86']);
    for (const { pid } of processes)
      expect(await readFile(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t107\t107\t107\t107$/m);
  });

  test('answers at the path an agent on its node uses, and at the short one', async () => {
    const socket = `/srv/${vm.launcher.podUid}/volumes/kubernetes.io~empty-dir/libvirt-runtime/virtqemud-sock`;
    const virsh = ['virsh', '-q', '-c', `qemu+unix:///session?socket=${socket}`, 'list', '--name'];
    expect((await run(inNodeNamespace(vm, virsh))).stdout).toBe('shop_db\n');
    expect(await vm.virsh('list', '--name')).toBe('shop_db\n');
    await expect(run(['ls', join('/srv', vm.launcher.podUid)])).rejects.toThrow('No such file');
  });

  test('serves a pull backup at a socket that the agent reaches through the pod directory', async () => {
    const xml = join(vm.directory, 'backup.xml');
    await writeFile(
      xml,
      `<domainbackup mode='pull'><server transport='unix' socket='/var/run/kubevirt/sockets/b.sock'/><disks>
        <disk name='vda' backup='yes' type='file'><scratch file='/var/run/kubevirt-ephemeral-disks/s'/></disk>
        <disk name='vdb' backup='no'/><disk name='vdc' backup='no'/></disks></domainbackup>`,
    );
    await vm.virsh('backup-begin', vm.domain, xml);
    const socket = `/srv/${vm.launcher.podUid}/volumes/kubernetes.io~empty-dir/sockets/b.sock`;
    const { stdout } = await run(
      inNodeNamespace(vm, ['nbdinfo', '--size', `nbd+unix:///vda?socket=${socket}`]),
    );
    expect(Number(stdout)).toBe(size);
    expect(await readdir(vm.launcher.shortSocketsDir)).toEqual(['b.sock']);
    expect(await readdir(vm.launcher.emptyDir('ephemeral-disks'))).toEqual(['s']);
    await vm.virsh('domjobabort', vm.domain);
  });

  test.each(allKinds)('lets the host read what the guest wrote to a $kind disk', async ({ volume }) => {
    await vm.guest([
      { op: 'write', volume, pattern: 0x41, offset: 1 * MiB, length: 1 * MiB },
      { op: 'writeZeroes', volume, offset: 1 * MiB + 64 * KiB, length: 64 * KiB },
      { op: 'discard', volume, offset: 1 * MiB + 512 * KiB, length: 256 * KiB },
    ]);
    const { file, bytes } = await vm.holds(volume);
    const expected = Buffer.alloc(bytes);
    expected.fill(0x41, 1 * MiB, 2 * MiB);
    expected.fill(0, 1 * MiB + 64 * KiB, 1 * MiB + 128 * KiB);
    expected.fill(0, 1 * MiB + 512 * KiB, 1 * MiB + 768 * KiB);
    expect(expected.equals(await readFile(file))).toBe(true);
  });

  test('keeps the content of a cbt disk in disk.img, under an overlay with 256 KiB clusters', async () => {
    await vm.write('root', { pattern: 0x42, offset: 8 * MiB, length: 64 * KiB });
    await vm.flush('root');
    const { image, overlay } = vm.disk('root');
    const written = (await readFile(image)).subarray(8 * MiB, 8 * MiB + 64 * KiB);
    expect(written.equals(Buffer.alloc(64 * KiB, 0x42))).toBe(true);
    const { stdout } = await run(['qemu-img', 'info', '-U', '--output=json', overlay]);
    expect(JSON.parse(stdout)).toMatchObject({
      'virtual-size': size,
      'cluster-size': 256 * KiB,
      'format-specific': { data: { 'data-file-raw': true, 'data-file': vm.disk('root').podImage } },
    });
  });

  test.each([
    ['past the end of the disk', { volume: 'data', pattern: 1, offset: size, length: 512 }],
    ['to a volume it has not', { volume: 'nope', pattern: 1, offset: 0, length: 512 }],
  ])('says so when a guest write goes %s', async (_, { volume, ...io }) => {
    await expect(vm.write(volume, io)).rejects.toMatchObject({ reason: 'GuestIoFailed' });
  });

  test('answers QMP, and throws what QEMU refuses', async () => {
    expect(await vm.qmp('query-status')).toMatchObject({ running: true });
    await expect(vm.qmp('no-such-command')).rejects.toThrow('has not been found');
  });

  test('gets a libvirtd again after it was killed, and QEMU runs on', async () => {
    const qemu = await vm.qemuPid();
    await vm.killLibvirtd('SIGKILL');
    expect(await vm.qemuPid()).toBe(qemu);
    expect(await vm.state()).toBe('running');
  });

  test('holds still for a snapshot while a background writer is at work', async () => {
    const region = { offset: 4 * MiB, length: 4 * MiB };
    const before = await vm.holds('data');
    const writer = vm.keepWriting({ volume: 'data', everyMs: 5, seed: 7, region });
    await until('something is written', async () => (await vm.holds('data')).sha256 !== before.sha256);
    const [one, two] = await vm.whileQuiet(async () => [await vm.holds('data'), await vm.holds('data')]);
    expect(two?.sha256).toBe(one?.sha256);

    const { operations } = await writer.stop();
    const expected = await readFile(before.file);
    for (const io of operations) {
      if (io.op === 'flush') throw new Error('a writer does not flush');
      expect(io.offset).toBeGreaterThanOrEqual(region.offset);
      expect(io.offset + io.length).toBeLessThanOrEqual(region.offset + region.length);
      // A discard may do nothing: do not predict it.
      if (io.op !== 'discard')
        expected.fill(io.op === 'write' ? io.pattern : 0, io.offset, io.offset + io.length);
    }
    const [last] = operations.slice(-1);
    const held = await readFile((await vm.holds('data')).file);
    if (last?.op === 'write') expect(held[last.offset]).toBe(last.pattern);
    expect(held.subarray(8 * MiB).equals(expected.subarray(8 * MiB))).toBe(true);
  });
});

describe('a VM that stops and comes back', () => {
  let vm: StandInVm;
  beforeAll(async () => {
    vm = await standInVm({ namespace: 'shop', name: 'cart', disks: [{ volume: 'root', kind: 'cbt', size }] });
    await vm.start();
    await vm.write('root', { pattern: 0x51, offset: 0, length: 64 * KiB });
  });
  afterAll(() => vm[Symbol.asyncDispose]());

  test('has a new pod over the same disks after a restart, its bitmaps saved and its checkpoints forgotten', async () => {
    await createCheckpoint(vm, 'backup-1');
    const { podUid } = vm.launcher;
    const held = await vm.holds('root');
    await vm.restart();
    expect(vm.launcher.podUid).not.toBe(podUid);
    expect(await readdir(vm.podsDir)).toEqual([vm.launcher.podUid]);
    expect((await vm.holds('root')).sha256).toBe(held.sha256);
    expect(await bitmapsOf(vm)).toEqual([{ name: 'backup-1', usable: true }]);
    expect((await vm.virsh('checkpoint-list', vm.domain, '--name')).trim()).toBe('');
  });

  test('is shut off after SIGKILL for QEMU, its pod still there; the next start finds the bitmap inconsistent', async () => {
    const { initPid } = vm.launcher;
    await vm.kill9();
    expect(await vm.state()).toBe('shut off');
    expect((await vm.launcher.processes()).map(({ name }) => name)).toEqual(['virtqemud']);
    await vm.start({ podUid: '5ca1ab1e-0000-4000-8000-000000000000' });
    expect(vm.launcher.podUid).toBe('5ca1ab1e-0000-4000-8000-000000000000');
    expect(vm.launcher.initPid).not.toBe(initPid);
    expect(await bitmapsOf(vm)).toEqual([{ name: 'backup-1', usable: false }]);
  });

  test('loses pod and directory at once when the launcher is killed, and starts again', async () => {
    await vm.killLauncher();
    expect(await vm.state()).toBe('no pod');
    expect(await readdir(vm.podsDir)).toEqual([]);
    await vm.start();
    const held = await readFile((await vm.holds('root')).file);
    expect(held.subarray(0, 64 * KiB).equals(Buffer.alloc(64 * KiB, 0x51))).toBe(true);
  });

  test('lets a background writer wait while it is off, and go on after', async () => {
    const writer = vm.keepWriting({ volume: 'root', everyMs: 5 });
    await vm.restart();
    await vm.kill9();
    await vm.start();
    const { sha256 } = await vm.holds('root');
    await until('it writes again', async () => (await vm.holds('root')).sha256 !== sha256);
    await writer.stop();
  });
});

test('a boot-sector guest writes through the virtual device, with no help', async () => {
  await using vm = await standInVm({ namespace: 'shop', name: 'boot', disks: allKinds });
  await installBootWriter(vm.disk('root'), 1 * MiB);
  await vm.start();
  const counter = async (offset: number) => (await readFile(vm.disk('root').image)).readUInt32LE(offset);
  await until('the region is full, and written again', async () => (await counter(1 * MiB)) === 17);
  expect(await counter(2 * MiB - 64 * KiB)).toBe(16);
  expect(await counter(2 * MiB)).toBe(0);
});

test('a start fails with a reason if the overlay of a cbt disk cannot be made, and leaves no half of one', async () => {
  await using vm = await standInVm({ namespace: 'shop', name: 'odd', disks: allKinds });
  await rm(vm.disk('root').image);
  await expect(vm.start()).rejects.toThrow(/no CBT overlay for volume root .*disk\.img.*No such file/s);
  expect(existsSync(vm.disk('root').overlay)).toBe(false);
});

describe('nothing is left', () => {
  test('after a stop: no process, no mount, no directory', async () => {
    const vm = await standInVm({ namespace: 'shop', name: 'gone', disks: allKinds });
    await vm.start();
    const namespaces = await namespacesOf(vm.launcher.initPid);
    expect((await processesIn(namespaces)).length).toBeGreaterThanOrEqual(3); // init, libvirtd, QEMU
    await vm[Symbol.asyncDispose]();
    expect(await processesIn(namespaces)).toEqual([]);
    expect(await readFile('/proc/self/mountinfo', 'utf8')).not.toContain(vm.directory);
    expect(existsSync(vm.directory)).toBe(false);
  });

  test('even if the process that started it dies by SIGKILL', async () => {
    const index = new URL('../support/launcher/index.ts', import.meta.url);
    const script = `
      import { inNodeNamespace, standInVm } from '${index.href}';
      import { spawn } from 'node:child_process';
      const vm = await standInVm({ namespace: 'shop', name: 'lost', disks: [{ volume: 'root', kind: 'cbt', size: ${size} }] });
      await vm.start();
      vm.keepWriting({ volume: 'root', everyMs: 5 });
      const [program, ...args] = inNodeNamespace(vm, ['sleep', '1000']);
      const agent = spawn(program, args);
      console.log(JSON.stringify({ directory: vm.directory, initPid: vm.launcher.initPid, agent: agent.pid }));`;
    const victim = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = z.tuple([z.string()]).parse(await once(createInterface({ input: victim.stdout }), 'line'));
    const { directory, initPid, agent } = z
      .object({ directory: z.string(), initPid: z.number(), agent: z.number() })
      .parse(JSON.parse(line));
    const namespaces = await namespacesOf(initPid);
    victim.kill('SIGKILL');
    await until('no process is left', async () => (await processesIn(namespaces)).length === 0);
    await until('the agent is gone', () => !isAlive(agent));
    await until('the directory is gone', () => !existsSync(directory));
  });
});

async function createCheckpoint(vm: StandInVm, name: string): Promise<void> {
  const xml = join(vm.directory, 'checkpoint.xml');
  await writeFile(xml, `<domaincheckpoint><name>${name}</name></domaincheckpoint>`);
  await vm.virsh('checkpoint-create', vm.domain, xml);
}

const bitmap = z.object({
  name: z.string(),
  recording: z.boolean(),
  inconsistent: z.boolean().default(false),
});
const blockNodes = z.array(z.object({ 'dirty-bitmaps': z.array(bitmap).default([]) }));

async function bitmapsOf(vm: StandInVm) {
  return blockNodes
    .parse(await vm.qmp('query-named-block-nodes', { flat: true }))
    .flatMap((node) => node['dirty-bitmaps'])
    .map(({ name, recording, inconsistent }) => ({ name, usable: recording && !inconsistent }));
}

async function namespacesOf(pid: number): Promise<readonly string[]> {
  return [await readlink(`/proc/${pid}/ns/pid`), await readlink(`/proc/${pid}/ns/mnt`)];
}

async function processesIn(namespaces: readonly string[]): Promise<readonly string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const inside = await Promise.all(
    pids.map(async (pid) =>
      (await namespacesOf(Number(pid)).catch(() => [])).some((ns) => namespaces.includes(ns)),
    ),
  );
  return pids.filter((_, index) => inside[index]);
}
