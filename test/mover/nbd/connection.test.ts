import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { Aborted } from '../../../src/mover/errors.ts';
import { connectNbd, type NbdConnection } from '../../../src/mover/nbd/connection.ts';
import { NbdServerError } from '../../../src/mover/nbd/errors.ts';
import type { Framing } from '../../../src/mover/nbd/handshake.ts';
import { chunk, dataChunk, errorChunk, holeChunk, u16, u32, u64 } from '../support/fake-nbd-messages.ts';
import { type FakeDisk, serveFake } from '../support/fake-nbd-server.ts';
import { content, lie, readAll, reasonOf, withFake } from './rig.ts';

vi.setConfig({ testTimeout: 60_000 });

const readSome = (connection: NbdConnection): Promise<string> =>
  reasonOf(connection.read(0, Buffer.alloc(512)));

describe.each<Framing>(['simple', 'structured', 'extended'])(
  'an honest server with %s replies',
  (framing) => {
    test.each<[string, Partial<FakeDisk>]>([
      ['plain', {}],
      ['answers the last request first', { reorder: 4 }],
      ['sends in pieces of 7 bytes', { fragmentBytes: 7, content: content.subarray(0, 9000) }],
      ['sends one byte at a time', { fragmentBytes: 1, content: content.subarray(0, 700) }],
      ['has a disk of an odd size', { content: content.subarray(0, 100_001) }],
      ['has zeros only', { content: Buffer.alloc(200_000) }],
      ['takes 512 bytes at a time', { maximumBlockBytes: 512, content: content.subarray(0, 20_000) }],
      ['takes whole blocks of 4 KiB', { minimumBlockBytes: 4096 }],
      ['sets every flag there is', { transmissionFlags: 0xffff }],
    ])('that %s is read exactly', async (_, disk) => {
      const read = await withFake({ framing, contexts: {}, ...disk }, (connection) => readAll(connection));
      expect(read.equals(disk.content ?? content)).toBe(true);
    });
  },
);

test('data and holes may be mixed in one reply', async () => {
  const mixed = Buffer.concat([Buffer.alloc(100), content.subarray(0, 100)]);
  const answer: FakeDisk['answer'] = (r) => [
    dataChunk(r, 100, content.subarray(0, 100), false),
    holeChunk(r, 0, 100, true),
  ];
  expect(
    (await withFake({ content: mixed, answer }, (connection) => readAll(connection))).equals(mixed),
  ).toBe(true);
});

test('chunks of several replies may be interleaved', async () => {
  let first: Parameters<NonNullable<FakeDisk['answer']>>[0] | null = null;
  const answer: FakeDisk['answer'] = (r) => {
    if (!first) {
      first = r;
      return [dataChunk(r, r.offset, content.subarray(r.offset, r.offset + 100), false)];
    }
    const rest = (of: typeof r, from: number): Buffer =>
      dataChunk(of, of.offset + from, content.subarray(of.offset + from, of.offset + of.length), true);
    return [rest(r, 0), rest(first, 100)];
  };
  const read = await withFake({ content: content.subarray(0, 128 * 1024), answer }, (connection) =>
    readAll(connection),
  );
  expect(read.equals(content.subarray(0, 128 * 1024))).toBe(true);
});

test('whatever range is asked, and whatever blocks the server takes, the bytes are those of the disk', async () => {
  const range = fc.record({
    offset: fc.nat(content.length - 1),
    length: fc.integer({ min: 1, max: 40_000 }),
  });
  const blocks = fc.record({
    minimumBlockBytes: fc.constantFrom(1, 512, 4096, 65_536),
    maximumBlockBytes: fc.constantFrom(65_536, 1 << 20, 0xffffffff),
  });
  const framing = fc.constantFrom<Framing>('simple', 'structured', 'extended');
  await fc.assert(
    fc.asyncProperty(
      blocks,
      framing,
      fc.array(range, { minLength: 1, maxLength: 5 }),
      async (sizes, framing, ranges) => {
        await withFake({ ...sizes, framing, contexts: {} }, async (connection, server) => {
          const reads = ranges.map(async ({ offset, length }) => {
            const buffer = Buffer.alloc(Math.min(length, content.length - offset), 0xee);
            await connection.read(offset, buffer);
            expect(buffer.equals(content.subarray(offset, offset + buffer.length))).toBe(true);
          });
          await Promise.all(reads);
          for (const { offset, length } of server.requests.filter((request) => request.command === 0)) {
            expect(offset % sizes.minimumBlockBytes).toBe(0);
            expect(length % sizes.minimumBlockBytes).toBe(0);
            expect(length).toBeLessThanOrEqual(Math.min(sizes.maximumBlockBytes, 32 * 1024 * 1024));
          }
        });
      },
    ),
    { numRuns: 60 },
  );
});

test('the last bytes of a disk that ends within a block are asked for as they are', async () => {
  const disk = { content: content.subarray(0, 10_001), minimumBlockBytes: 4096, contexts: {} };
  await withFake(disk, async (connection, server) => {
    const tail = Buffer.alloc(1);
    await connection.read(10_000, tail);
    expect(tail[0]).toBe(content[10_000]);
    expect(server.requests.map(({ offset, length }) => [offset, length])).toEqual([[8192, 1809]]);
  });
});

test('no request bears a flag, not even where the server offers them', async () => {
  await withFake({ transmissionFlags: 0xffff }, async (connection, server) => {
    await connection.blockStatus(0, content.length);
    await readAll(connection);
    expect(new Set(server.requests.map(({ flags }) => flags))).toEqual(new Set([0]));
  });
});

test('a range that is not within the export is a fault of the caller', async () => {
  await withFake({}, async (connection) => {
    await expect(connection.read(content.length - 1, Buffer.alloc(2))).rejects.toThrow(RangeError);
    await expect(connection.read(0, Buffer.alloc(0))).rejects.toThrow(RangeError);
    await expect(connection.blockStatus(-1, 2)).rejects.toThrow(RangeError);
  });
});

describe.each<Framing>(['structured', 'extended'])(
  'an error in %s replies fails its own read alone',
  (framing) => {
    const offsetError: NonNullable<FakeDisk['answer']> = (r) => [
      chunk(r, 0x8002, Buffer.concat([u32(5), u16(3), Buffer.from('bad'), u64(70_000)]), false),
      chunk(r, 0, Buffer.alloc(0), true),
    ];
    test.each<[string, NonNullable<FakeDisk['answer']>, RegExp]>([
      ['at once', (r) => [errorChunk(r, 5, 'bad\u0007 sector')], /65536.*EIO \(bad {2}sector\)/],
      ['with the place of it', offsetError, /EIO \(bad at 70000\)/],
      [
        'in mid-reply',
        (r) => [dataChunk(r, r.offset, Buffer.alloc(512), false), errorChunk(r, 5, 'half')],
        /EIO \(half\)/,
      ],
      [
        'before the rest of the data',
        (r) => [errorChunk(r, 5, 'early', false), dataChunk(r, r.offset, Buffer.alloc(r.length), true)],
        /early/,
      ],
      [
        'of a kind yet to come',
        (r) => [chunk(r, 0x8fff, Buffer.concat([u32(5), u16(1), Buffer.from('?..')]), true)],
        /EIO \(\?\)/,
      ],
      ['of an unknown number', (r) => [errorChunk(r, 4711, '')], /error 4711/],
    ])('%s', async (_, bad, message) => {
      const answer: FakeDisk['answer'] = (r, honest) => (r.offset === 65_536 ? bad(r, honest) : honest);
      await withFake({ framing, answer }, async (connection) => {
        const failed = connection.read(65_536, Buffer.alloc(65_536)).catch((error: unknown) => error);
        const good = Buffer.alloc(65_536);
        await connection.read(0, good);
        expect(await failed).toBeInstanceOf(NbdServerError);
        expect(await failed).toMatchObject({ message: expect.stringMatching(message) });
        expect(good.equals(content.subarray(0, 65_536))).toBe(true);
        expect(await readSome(connection)).toBe('no error');
      });
    });
  },
);

test('one bad piece of a read that had to be cut fails all of it, and only when every piece has ended', async () => {
  const answer: FakeDisk['answer'] = (r, honest) => (r.offset === 0 ? [errorChunk(r, 5, 'no')] : honest);
  await withFake({ maximumBlockBytes: 512, answer }, async (connection, server) => {
    const buffer = Buffer.alloc(4096);
    expect(await reasonOf(connection.read(0, buffer))).toBe('NbdServerError');
    expect(server.requests).toHaveLength(8);
    expect(buffer.subarray(512).equals(content.subarray(512, 4096))).toBe(true);
  });
});

describe('a server that goes away or falls silent', () => {
  test('ends every open read with NbdGone when it hangs up, and every later one', async () => {
    const answer: FakeDisk['answer'] = (r, honest) => (r.offset > 0 ? 'hangup' : honest);
    const reasons = await withFake({ answer }, async (connection) => {
      await connection.read(0, Buffer.alloc(512));
      const open = [1, 2, 3].map((n) => reasonOf(connection.read(n * 4096, Buffer.alloc(512))));
      return [...(await Promise.all(open)), await readSome(connection)];
    });
    expect(reasons).toEqual(['NbdGone', 'NbdGone', 'NbdGone', 'NbdGone']);
  });

  test('is NbdGone when it says it is shutting down', async () => {
    const bye = lie((r) => [errorChunk(r, 108, 'bye')]);
    expect(await withFake(bye, readSome)).toBe('NbdGone');
  });

  test('is NbdSilent when it owes an answer for too long', async () => {
    expect(await withFake({ answer: () => null }, readSome, 300)).toBe('NbdSilent');
  });

  test('is left alone while it owes nothing', async () => {
    const idle = async (connection: NbdConnection): Promise<string> => {
      await sleep(700);
      return await readSome(connection);
    };
    expect(await withFake({}, idle, 300)).toBe('no error');
  });

  test('has its whole time from when it began to owe something', async () => {
    const answer: FakeDisk['answer'] = async (_, honest) => {
      await sleep(1200);
      return honest;
    };
    const late = async (connection: NbdConnection): Promise<string> => {
      await sleep(1200);
      return await readSome(connection);
    };
    expect(await withFake({ answer }, late, 2000)).toBe('no error');
  });

  test('does not keep a close waiting', async () => {
    const started = performance.now();
    await withFake({ answer: () => null }, async () => {});
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

test('an abort ends what is under way with its own reason', async () => {
  await using server = await serveFake({ content, answer: () => null });
  const abort = new AbortController();
  const connection = await connectNbd(
    { address: server.address, contexts: [], stallMilliseconds: 10_000 },
    abort.signal,
  );
  const read = readSome(connection);
  abort.abort(new Aborted('a test'));
  expect(await read).toBe('Aborted');
  expect(await readSome(connection)).toBe('Aborted');
  await connection.close();
});
