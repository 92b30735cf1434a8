import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { coveredUntil, STATE_DIRTY, STATE_ZERO } from '../../src/domain/extents.ts';
import { Aborted } from '../../src/mover/errors.ts';
import type { NbdConnection } from '../../src/mover/nbd/connection.ts';
import { reasonOf } from '../mover/nbd/rig.ts';
import { lastEvent, type Served, Workshop } from './mover-rig.ts';
import { freePort, openNbd, readRange, untilListening } from './nbd-rig.ts';

/** The NBD client against the servers people run: QEMU, with extended headers, and nbdkit, without. */
const workshop = new Workshop();
const disk = workshop.at('disk.raw');
const KIB = 1024;
const MIB = 1024 * KIB;
const TIB = 1024 * 1024 * MIB;

beforeAll(() => {
  workshop.tool('sh', '-c', `head -c 1M /dev/urandom > ${disk}`);
});
afterAll(() => workshop[Symbol.asyncDispose]());

let sockets = 0;
/** Serves by nbdkit, a program of its own with limits of its own. */
async function nbdkit(...args: readonly string[]): Promise<string> {
  const socket = workshop.at(`k${sockets++}`);
  await untilListening(workshop.start('nbdkit', ['-f', '-r', '-U', socket, ...args]), { path: socket });
  return `nbd+unix:///?socket=${socket}`;
}

async function using<T>(uri: string, use: (connection: NbdConnection) => Promise<T>): Promise<T> {
  const connection = await openNbd(uri);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

describe('QEMU', () => {
  test('tells what a sparse disk of a TiB holds in one answer, by extended headers', async () => {
    const sparse = workshop.at('sparse.raw');
    writeFileSync(sparse, '');
    truncateSync(sparse, TIB);
    workshop.tool('qemu-io', '-f', 'raw', '-c', `write -P 7 ${TIB / 2} 64k`, sparse);
    await using served: Served = await workshop.serve(sparse, 'raw');
    await using(served.uri, async (connection) => {
      expect(connection.framing).toBe('extended');
      const extents = (await connection.blockStatus(0, TIB)).get('base:allocation')!;
      expect(coveredUntil(0, extents)).toBe(TIB);
      expect(extents.map(({ offset, flags }) => [offset, flags & STATE_ZERO])).toEqual([
        [0, STATE_ZERO],
        [TIB / 2, 0],
        [TIB / 2 + 64 * KIB, STATE_ZERO],
      ]);
      const around = await readRange(connection, TIB / 2 - 8 * KIB, 80 * KIB);
      expect(
        around.equals(
          Buffer.concat([Buffer.alloc(8 * KIB), Buffer.alloc(64 * KIB, 7), Buffer.alloc(8 * KIB)]),
        ),
      ).toBe(true);
      expect((await readRange(connection, TIB - 5, 5)).equals(Buffer.alloc(5))).toBe(true);
    });
  });

  test('tells a bitmap beside the allocation', async () => {
    const image = workshop.at('bitmap.qcow2');
    workshop.tool('qemu-img', 'create', '-q', '-f', 'qcow2', image, '16M');
    workshop.tool('qemu-img', 'bitmap', '--add', '-g', '65536', image, 'cp1');
    workshop.tool('qemu-io', '-c', 'write -P 2 1M 128k', '-c', 'write -z 8M 1M', image);
    await using served = await workshop.serve(image, 'qcow2', 'cp1');
    const connection = await openNbd(served.uri, ['base:allocation', 'qemu:dirty-bitmap:cp1']);
    const answer = await connection.blockStatus(0, connection.sizeBytes);
    await connection.close();
    const dirty = answer.get('qemu:dirty-bitmap:cp1')!.filter(({ flags }) => flags & STATE_DIRTY);
    expect(dirty.map(({ offset, length }) => [offset, length])).toEqual([
      [MIB, 128 * KIB],
      [8 * MIB, MIB],
    ]);
    const data = answer.get('base:allocation')!.filter(({ flags }) => !(flags & STATE_ZERO));
    expect(data.map(({ offset, length }) => [offset, length])).toEqual([[MIB, 128 * KIB]]);
  });

  test.each([
    ['an export that is not there', (uri: string) => uri.replace('/vda', '/vdb'), 'NbdRefused'],
    ['a socket that is not there', (uri: string) => `${uri}-gone`, 'NbdRefused'],
  ])('%s is refused', async (_, wrong, reason) => {
    await using served = await workshop.serve(disk, 'raw');
    expect(await reasonOf(openNbd(wrong(served.uri)))).toBe(reason);
  });

  test('that is killed is NbdGone to all that is under way', async () => {
    await using served = await workshop.serve(disk, 'raw');
    const connection = await openNbd(served.uri);
    served.child.kill('SIGSTOP');
    const reads = [0, 1, 2].map((n) => reasonOf(connection.read(n * KIB, Buffer.alloc(KIB))));
    served.child.kill('SIGKILL');
    expect(await Promise.all(reads)).toEqual(['NbdGone', 'NbdGone', 'NbdGone']);
    await connection.close();
  });

  test('that is stopped is NbdSilent after the deadline, and left at once by an abort', async () => {
    await using served = await workshop.serve(disk, 'raw');
    const abort = new AbortController();
    const patient = await openNbd(served.uri, [], abort.signal);
    const hasty = await openNbd(served.uri, [], undefined, 1000);
    served.child.kill('SIGSTOP');
    const reads = [patient, hasty].map((connection) => reasonOf(connection.read(0, Buffer.alloc(KIB))));
    expect(await reads[1]).toBe('NbdSilent');
    abort.abort(new Aborted('a test'));
    expect(await reads[0]).toBe('Aborted');
    await Promise.all([patient.close(), hasty.close()]);
  });
});

describe('nbdkit', () => {
  const whole = (connection: NbdConnection) => readRange(connection, 0, connection.sizeBytes);

  test.each([
    ['with structured replies', [], 'structured'],
    ['with simple replies only', ['--no-sr'], 'simple'],
  ] as const)('is read exactly %s', async (_, options, framing) => {
    await using(await nbdkit(...options, 'file', disk), async (connection) => {
      expect(connection.framing).toBe(framing);
      expect((await whole(connection)).equals(readFileSync(disk))).toBe(true);
    });
  });

  test.each([
    ['blocks of 4 KiB, 64 KiB at most', 4096, 65_536],
    ['blocks of 512 bytes, one at a time', 512, 512],
    ['blocks of 64 KiB', 65_536, 33_554_432],
  ])('is read exactly where it enforces %s', async (_, minimum, maximum) => {
    const limits = [
      `blocksize-minimum=${minimum}`,
      `blocksize-maximum=${maximum}`,
      `blocksize-preferred=${Math.max(minimum, 512)}`,
    ];
    const policy = ['--filter=blocksize-policy', 'file', disk, ...limits, 'blocksize-error-policy=error'];
    await using(await nbdkit(...policy), async (connection) => {
      expect([connection.minimumBlockBytes, connection.maximumBlockBytes]).toEqual([minimum, maximum]);
      expect((await whole(connection)).equals(readFileSync(disk))).toBe(true);
      const [extent] = (await connection.blockStatus(1000, 5000)).get('base:allocation')!;
      expect(extent!.offset).toBe(1000);
    });
  });

  test('has a disk of an odd size, and its last byte', async () => {
    const odd = workshop.at('odd.raw');
    writeFileSync(odd, readFileSync(disk).subarray(0, 100_001));
    await using(await nbdkit('file', odd), async (connection) => {
      expect(connection.sizeBytes).toBe(100_001);
      expect((await whole(connection)).equals(readFileSync(odd))).toBe(true);
    });
  });

  test.each(['127.0.0.1', '[::1]'])('is reached over TCP at %s', async (host) => {
    const port = await freePort();
    const child = workshop.start('nbdkit', ['-f', '-r', '-p', String(port), 'file', disk]);
    await untilListening(child, { host: host.replace(/[[\]]/g, ''), port });
    await using(`nbd://${host}:${port}`, async (connection) => expect(connection.sizeBytes).toBe(MIB));
  });

  test('that fails reads says so for each of them, and goes on', async () => {
    const uri = await nbdkit('--filter=error', 'file', disk, 'error-pread=EIO', 'error-pread-rate=100%');
    await using(uri, async (connection) => {
      for (const _ of [1, 2])
        await expect(connection.read(0, Buffer.alloc(512))).rejects.toMatchObject({
          reason: 'NbdServerError',
          errno: 5,
        });
    });
  });

  test('knows no bitmap: an incremental from it is BitmapNotExported, a full is taken', async () => {
    const source = await nbdkit('file', disk);
    const backup = (to: string, ...more: string[]) =>
      workshop.mover(
        'backup',
        '--source',
        source,
        '--volume',
        'vda',
        '--to',
        workshop.at('repo', to),
        ...more,
        '--json',
      );
    expect((await backup('b0')).code).toBe(0);
    const refused = await backup('b1', '--bitmap', 'cp1', '--parent', workshop.at('repo', 'b0'));
    expect([refused.code, lastEvent(refused)['reason']]).toEqual([3, 'BitmapNotExported']);
  });
});
