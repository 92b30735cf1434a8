import { closeSync, openSync, readSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readManifest } from '../../src/mover/repository/manifest-file.ts';
import { same, Workshop } from './mover-rig.ts';

const workshop = new Workshop();
const disk = workshop.at('disk.qcow2');
const MIB = 1024 * 1024;

/** A part of a real program: code, tables and text, as compressible as a guest's disk. */
function program(offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const file = openSync(process.execPath, 'r');
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

function put(at: string, name: string, bytes: Buffer): void {
  writeFileSync(workshop.at(name), bytes);
  workshop.tool(
    'qemu-io',
    '-f',
    'qcow2',
    '-c',
    `write -q -s ${workshop.at(name)} ${at} ${bytes.length}`,
    disk,
  );
}

async function backup(n: number, compress: string): Promise<void> {
  workshop.tool('qemu-img', 'convert', '-f', 'qcow2', '-O', 'raw', disk, workshop.at(`truth-${n}.raw`));
  const since = n > 0 ? ['--bitmap', `cp${n - 1}`, '--parent', workshop.at('repo', `b${n - 1}`)] : [];
  {
    await using served = await workshop.serve(disk, 'qcow2', n > 0 ? `cp${n - 1}` : undefined);
    const args = ['--source', served.uri, '--volume', 'vda', '--to', workshop.at('repo', `b${n}`)];
    expect(await workshop.mover('backup', ...args, '--compress', compress, ...since)).toMatchObject({
      code: 0,
    });
  }
  workshop.tool('qemu-img', 'bitmap', '--add', '-g', '65536', disk, `cp${n}`);
}

beforeAll(async () => {
  workshop.tool('qemu-img', 'create', '-q', '-f', 'qcow2', disk, String(64 * MIB + 512));
  put('64k', 'code', program(4 * MIB, 24 * MIB));
  workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 1 40M 3M', '-c', `write -q -P 9 64M 512`, disk);
  await backup(0, 'zstd');
  put('2M', 'more', program(40 * MIB, 300_032));
  workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -q -z 8M 2M', '-c', 'write -q -P 3 41M 64k', disk);
  await backup(1, 'zstd:1');
  workshop.tool('qemu-io', '-f', 'qcow2', '-c', 'write -q -P 4 60M 1M', disk);
  await backup(2, 'none');
});
afterAll(() => workshop[Symbol.asyncDispose]());

describe('a chain of compressed and plain backups', () => {
  test.each([0, 1, 2])(
    'point %d: restored by the mover and read by qemu-img, the disk as it was',
    async (n) => {
      const to = workshop.at(`restored-${n}.raw`);
      const from = ['--from', workshop.at('repo', `b${n}`), '--volume', 'vda', '--to', to];
      expect(await workshop.mover('restore', ...from)).toMatchObject({ code: 0 });
      const truth = workshop.at(`truth-${n}.raw`);
      expect(same(to, truth)).toBe(true);
      const image = workshop.at('repo', `b${n}`, 'vda.qcow2');
      workshop.tool('qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', image, truth);
      expect(JSON.parse(workshop.tool('qemu-img', 'check', '--output=json', image))).toMatchObject({
        'check-errors': 0,
      });
    },
  );

  test('is proven by verify', async () => {
    expect(await workshop.mover('verify', workshop.at('repo', 'b2'), '--chain')).toMatchObject({ code: 0 });
  });

  test('says in its manifests how each was compressed, and is smaller for it', async () => {
    const records = await Promise.all(
      [0, 1, 2].map(async (n) => (await readManifest(workshop.at('repo', `b${n}`))).volumes[0]!),
    );
    expect(records.map(({ image }) => image.compression)).toEqual(['zstd', 'zstd', 'none']);
    expect(statSync(workshop.at('repo', 'b0', 'vda.qcow2')).size).toBeLessThan(records[0]!.dataBytes / 2);
  });
});

test.each(['gzip', 'zstd:0', 'zstd:20', 'zstd:', 'none:1'])('--compress %s is refused', async (compress) => {
  const args = ['--source', 'nbd://x/y', '--volume', 'vda', '--to', workshop.at('x')];
  expect(await workshop.mover('backup', ...args, '--compress', compress)).toMatchObject({ code: 2 });
});
