import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { InspectResult } from '../../src/domain/mover-report.ts';
import { lastEvent, same, Workshop } from './mover-rig.ts';

/**
 * A disk with a real dirty bitmap, served by a real qemu-nbd: full, changes, incremental, changes, incremental. `truth-<n>.raw`
 * is what the disk held at each backup, made by qemu-img from the live image.
 */
const workshop = new Workshop();
const disk = workshop.at('disk.qcow2');

function change(...commands: string[]): void {
  workshop.tool('qemu-io', '-f', 'qcow2', ...commands.flatMap((command) => ['-c', command]), disk);
}

async function backup(n: number): Promise<void> {
  workshop.tool('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', disk, workshop.at(`truth-${n}.raw`));
  const on = n > 0 ? ['--bitmap', `cp${n - 1}`, '--parent', workshop.at('repo', `b${n - 1}`)] : [];
  {
    await using served = await workshop.serve(disk, 'qcow2', n > 0 ? `cp${n - 1}` : undefined);
    const done = await workshop.mover(
      'backup',
      '--source',
      served.uri,
      '--volume',
      'vda',
      '--to',
      workshop.at('repo', `b${n}`),
      ...on,
    );
    expect(done).toMatchObject({ code: 0 });
  }
  workshop.tool('qemu-img', 'bitmap', '--add', '-g', '65536', disk, `cp${n}`);
}

beforeAll(async () => {
  workshop.tool('qemu-img', 'create', '-q', '-f', 'qcow2', disk, '64M');
  change('write -q -P 0x41 0 4M', 'write -q -P 0x42 20M 1M', 'write -q -P 0x43 40M 300k');
  await backup(0);
  change(
    'write -q -P 0x51 1M 128k',
    'write -q -z 0 512k',
    'write -q -z -u 2M 192k',
    'discard -q 20M 1M',
    'write -q -P 0 40M 64k',
    'write -q -P 7 5000k 3k',
  );
  await backup(1);
  // The disk grows, by no whole cluster, and the new end is written.
  workshop.tool('qemu-img', 'bitmap', '--remove', disk, 'cp0');
  workshop.tool('qemu-img', 'resize', '-q', disk, String(70 * 1024 * 1024 + 512));
  change('write -q -P 0x61 70M 512', 'write -q -P 0x62 20M 70k', 'discard -q 1M 64k');
  await backup(2);
});
afterAll(() => workshop[Symbol.asyncDispose]());

describe('a chain after writes, zero writes and discards', () => {
  test.each([0, 1, 2])('restores point %d byte for byte, by the mover', async (n) => {
    const to = workshop.at(`restored-${n}.raw`);
    expect(
      await workshop.mover('restore', '--from', workshop.at('repo', `b${n}`), '--volume', 'vda', '--to', to),
    ).toMatchObject({ code: 0 });
    expect(same(to, workshop.at(`truth-${n}.raw`))).toBe(true);
    expect(existsSync(`${to}.tidemark-partial`)).toBe(false);
  });

  test.each([0, 1, 2])('restores point %d byte for byte, by qemu-img and no Tidemark', (n) => {
    const to = workshop.at(`plain-${n}.raw`);
    workshop.tool('qemu-img', 'convert', '-O', 'raw', workshop.at('repo', `b${n}`, 'vda.qcow2'), to);
    expect(same(to, workshop.at(`truth-${n}.raw`))).toBe(true);
  });

  test.each([0, 1, 2])('image %d is clean', (n) => {
    const checked = JSON.parse(
      workshop.tool('qemu-img', 'check', '--output=json', workshop.at('repo', `b${n}`, 'vda.qcow2')),
    );
    expect(checked).toMatchObject({ 'check-errors': 0 });
  });

  test('moves whole, because its links are relative', async () => {
    workshop.tool('cp', '-a', workshop.at('repo'), workshop.at('elsewhere'));
    const info = workshop.tool(
      'qemu-img',
      'info',
      '--output=json',
      workshop.at('elsewhere', 'b2', 'vda.qcow2'),
    );
    expect(JSON.parse(info)).toMatchObject({
      'backing-filename': '../b1/vda.qcow2',
      'backing-filename-format': 'qcow2',
    });
    expect(await workshop.mover('verify', workshop.at('elsewhere', 'b2'), '--chain')).toMatchObject({
      code: 0,
    });
  });

  test('stores in an incremental what changed, not the disk', async () => {
    const told = await workshop.mover('inspect', workshop.at('repo', 'b1'), '--json');
    expect(lastEvent(told)).toMatchObject({
      usable: true,
      volumes: [{ type: 'Incremental', chainLength: 2, bitmap: 'cp0' }],
    });
    const [volume] = InspectResult.parse(lastEvent(told)).volumes;
    expect(volume!.dataBytes).toBeLessThanOrEqual(5 * 65536);
    expect(volume!.zeroBytes).toBeGreaterThanOrEqual(1024 * 1024);
  });

  test('is listed without any cluster', async () => {
    const { code, stdout } = await workshop.mover('list', workshop.at('repo'));
    expect([code, stdout.split('\n').map((line) => line.split(/ +/)[0])]).toEqual([
      0,
      ['PATH', 'b0', 'b1', 'b2', ''],
    ]);
  });
});

describe('the command line', () => {
  test('a flipped byte in a parent: verify --chain exits 1, naming volume and range; the tip alone is good', async () => {
    workshop.tool('cp', '-a', workshop.at('repo'), workshop.at('flipped'));
    const image = workshop.at('flipped', 'b0', 'vda.qcow2');
    const bytes = readFileSync(image);
    bytes[65536 * 4 + 99] = bytes[65536 * 4 + 99]! ^ 1;
    writeFileSync(image, bytes);
    const whole = await workshop.mover('verify', workshop.at('flipped', 'b2'), '--chain');
    expect(whole.code).toBe(1);
    expect(whole.stdout).toContain(`volume vda: ${image}: bytes 262144 to 327679 are not what was written`);
    expect(await workshop.mover('verify', workshop.at('flipped', 'b2'))).toMatchObject({ code: 0 });
  });

  test('a chain with a gap is not restored, and nothing is left', async () => {
    workshop.tool('cp', '-a', workshop.at('repo'), workshop.at('gap'));
    rmSync(workshop.at('gap', 'b1'), { recursive: true });
    const to = workshop.at('gap.raw');
    const done = await workshop.mover(
      'restore',
      '--from',
      workshop.at('gap', 'b2'),
      '--volume',
      'vda',
      '--to',
      to,
      '--json',
    );
    expect(done.code).toBe(1);
    expect(lastEvent(done)).toMatchObject({ event: 'error', reason: 'BackupDataMissing' });
    expect(existsSync(to)).toBe(false);
  });

  test('a header that names a file of this machine as its backing file is not followed', async () => {
    workshop.tool('cp', '-a', workshop.at('repo'), workshop.at('hostile'));
    const image = workshop.at('hostile', 'b1', 'vda.qcow2');
    workshop.tool('qemu-img', 'rebase', '-u', '-F', 'raw', '-b', '/etc/hostname', image);
    const done = await workshop.mover(
      'restore',
      '--from',
      workshop.at('hostile', 'b2'),
      '--volume',
      'vda',
      '--to',
      workshop.at('hostile.raw'),
      '--json',
    );
    expect(lastEvent(done)).toMatchObject({ reason: 'BackupDataDamaged', exitCode: 1 });
  });

  test('a restore never writes over a file', async () => {
    const to = workshop.at('precious.raw');
    writeFileSync(to, 'precious');
    const done = await workshop.mover(
      'restore',
      '--from',
      workshop.at('repo', 'b0'),
      '--volume',
      'vda',
      '--to',
      to,
      '--json',
    );
    expect([done.code, lastEvent(done)['reason'], readFileSync(to, 'utf8')]).toEqual([
      4,
      'TargetExists',
      'precious',
    ]);
  });

  test('a volume that the backup has not got is named, with those it has', async () => {
    const done = await workshop.mover(
      'restore',
      '--from',
      workshop.at('repo', 'b0'),
      '--volume',
      'vdb',
      '--to',
      workshop.at('x.raw'),
    );
    expect(done).toMatchObject({ code: 1, stderr: expect.stringContaining('holds no volume vdb, only vda') });
  });

  test('a bitmap that is not exported', async () => {
    await using served = await workshop.serve(disk, 'qcow2');
    const done = await workshop.mover(
      'backup',
      '--source',
      served.uri,
      '--volume',
      'vda',
      '--to',
      workshop.at('repo', 'b9'),
      '--bitmap',
      'nope',
      '--parent',
      workshop.at('repo', 'b2'),
      '--json',
    );
    expect([done.code, lastEvent(done)['reason']]).toEqual([3, 'BitmapNotExported']);
    expect(readdirSync(workshop.at('repo')).sort()).toEqual(['b0', 'b1', 'b2']);
  });

  test.each<[string, string[], number]>([
    ['no command', [], 2],
    ['an unknown command', ['frobnicate'], 2],
    ['an unknown option', ['backup', '--frobnicate'], 2],
    ['a source that is missing', ['backup', '--volume', 'vda', '--to', '/x'], 2],
    [
      'a bitmap without a parent',
      ['backup', '--source', 'nbd://x/y', '--volume', 'vda', '--to', '/x', '--bitmap', 'b'],
      2,
    ],
    ['help', ['help'], 0],
    ['a backup that is not there', ['verify', '/nowhere/b0'], 1],
    ['a parent that is not there', ['inspect', '/nowhere/b0'], 1],
    ['a repository that is not there', ['probe', '/nowhere'], 4],
    [
      'a socket that is not there',
      [
        'backup',
        '--source',
        'nbd+unix:///vda?socket=/nowhere/s',
        '--volume',
        'vda',
        '--to',
        workshop.at('y', 'b0'),
      ],
      3,
    ],
  ])('%s exits as documented', async (_, args, code) => {
    const done = await workshop.mover(...args);
    expect([done.code, done.stderr.includes('    at ')]).toEqual([code, false]);
  });
});
