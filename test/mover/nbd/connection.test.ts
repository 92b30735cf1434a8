import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Aborted, MoverError } from '../../../src/mover/errors.ts';
import { connectNbd, type NbdConnection } from '../../../src/mover/nbd/connection.ts';
import { NbdServerError } from '../../../src/mover/nbd/errors.ts';
import {
  chunk,
  dataChunk,
  errorChunk,
  type FakeDisk,
  holeChunk,
  serveFake,
  u32,
} from '../support/fake-nbd-server.ts';

const content = randomBytes(256 * 1024);
const never = new AbortController().signal;
const contexts = ['base:allocation'];
const allData = { 'base:allocation': [{ offset: 0, length: content.length, flags: 0 }] };

async function withFake<T>(
  disk: Partial<FakeDisk>,
  use: (connection: NbdConnection) => Promise<T>,
  stallMilliseconds = 10_000,
): Promise<T> {
  await using server = await serveFake({ content, contexts: allData, ...disk });
  const connection = await connectNbd({ address: server.address, contexts, stallMilliseconds }, never);
  try {
    return await use(connection);
  } finally {
    await connection.close();
  }
}

async function readAll(connection: NbdConnection, pieceBytes = 64 * 1024): Promise<Buffer> {
  const all = Buffer.alloc(connection.sizeBytes, 0xee);
  const reads: Promise<void>[] = [];
  for (let offset = 0; offset < all.length; offset += pieceBytes) {
    reads.push(connection.read(offset, all.subarray(offset, offset + pieceBytes)));
  }
  await Promise.all(reads);
  return all;
}

async function reasonOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return error instanceof MoverError ? error.reason : `not typed: ${String(error)}`;
  }
  return 'no error';
}

const lie = (answer: NonNullable<FakeDisk['answer']>): Partial<FakeDisk> => ({ answer });

const readSome = (connection: NbdConnection): Promise<string> =>
  reasonOf(connection.read(0, Buffer.alloc(512)));

const idle = async (connection: NbdConnection): Promise<string> => {
  await new Promise((resolve) => setTimeout(resolve, 250));
  return await readSome(connection);
};

const open = async (disk: Partial<FakeDisk>): Promise<string> =>
  await reasonOf(withFake(disk, () => Promise.resolve(), 300));

const optionError = (type: number) => (option: number) =>
  option === 7
    ? Buffer.concat([Buffer.from('0003e889045565a9', 'hex'), u32(7), u32(type), u32(3), Buffer.from('why')])
    : undefined;

describe('an honest server, however awkward, is read exactly', () => {
  test.each<[string, Partial<FakeDisk>]>([
    ['plain', {}],
    ['answers the last request first', { reorder: 4 }],
    ['speaks simple replies only', { simpleOnly: true }],
    ['sends in pieces of 7 bytes', { fragmentBytes: 7, content: content.subarray(0, 9000) }],
    ['sends one byte at a time', { fragmentBytes: 1, content: content.subarray(0, 700) }],
    ['has a disk of an odd size', { content: content.subarray(0, 100_001) }],
    ['tells holes', { content: Buffer.alloc(200_000) }],
    [
      'mixes data and holes in one reply',
      {
        content: Buffer.concat([Buffer.alloc(100), content.subarray(0, 100)]),
        answer: (request, honest) =>
          request.command !== 0
            ? honest
            : [dataChunk(request, 100, content.subarray(0, 100), false), holeChunk(request, 0, 100, true)],
      },
    ],
  ])('%s', async (_, disk) => {
    const read = await withFake(disk, readAll);
    expect(read.equals(disk.content ?? content)).toBe(true);
  });
});

test('a block status names its extents from the offset asked, cut off at the end', async () => {
  const answer = await withFake(
    {
      cutStatus: () => [
        { offset: 0, length: 1000, flags: 0 },
        { offset: 0, length: 999_999, flags: 3 },
      ],
    },
    (connection) => connection.blockStatus(4096, 8192),
  );
  expect(answer.get('base:allocation')).toEqual([
    { offset: 4096, length: 1000, flags: 0 },
    { offset: 5096, length: 7192, flags: 3 },
  ]);
});

test('an error in mid-reply fails that read alone, with the errno, and the connection lives on', async () => {
  await withFake(
    {
      answer: (request, honest) =>
        request.offset === 65536
          ? [
              dataChunk(request, 65536, content.subarray(0, 512), false),
              errorChunk(request, 5, 'bad\u0007 sector'),
            ]
          : honest,
    },
    async (connection) => {
      const failed = connection.read(65536, Buffer.alloc(65536)).catch((error: unknown) => error);
      const good = Buffer.alloc(65536);
      await connection.read(0, good);
      expect(await failed).toBeInstanceOf(NbdServerError);
      expect(await failed).toMatchObject({
        errno: 5,
        message: expect.stringMatching(/65536.*EIO \(bad {2}sector\)/),
      });
      expect(good.equals(content.subarray(0, 65536))).toBe(true);
    },
  );
});

describe('a server that lies ends in NbdProtocolError', () => {
  test.each<[string, Partial<FakeDisk>]>([
    ['more data than asked', lie((r) => [dataChunk(r, r.offset, Buffer.alloc(r.length + 1), true)])],
    ['less data than asked', lie((r) => [dataChunk(r, r.offset, Buffer.alloc(r.length - 1), true)])],
    ['nothing, and done', lie((r) => [chunk(r, 0, Buffer.alloc(0), true)])],
    ['data before the request', lie((r) => [dataChunk(r, r.offset - 1, Buffer.alloc(r.length), true)])],
    [
      'the second half twice',
      lie((r) => [
        dataChunk(r, r.offset + r.length / 2, Buffer.alloc(r.length / 2), false),
        dataChunk(r, r.offset + r.length / 2, Buffer.alloc(r.length / 2), true),
      ]),
    ],
    [
      'a byte here and a byte there, for ever',
      lie((r) =>
        Array.from({ length: 10_000 }, (_, i) =>
          dataChunk(r, r.offset + (i % 2) * 2, Buffer.alloc(1), false),
        ),
      ),
    ],
    [
      'the same half twice',
      lie((r) => [
        dataChunk(r, r.offset, Buffer.alloc(r.length / 2), false),
        dataChunk(r, r.offset, Buffer.alloc(r.length / 2), true),
      ]),
    ],
    ['a hole of 4 GiB', lie((r) => [holeChunk(r, r.offset, 0xffffffff, true)])],
    [
      'a chunk claiming 4 GiB',
      lie((r) => [
        Buffer.concat([
          dataChunk(r, r.offset, Buffer.alloc(1), true).subarray(0, 16),
          u32(0xffffffff),
          Buffer.alloc(64),
        ]),
      ]),
    ],
    ['an offset beyond 2^53', lie((r) => [chunk(r, 1, Buffer.alloc(9, 0xff), true)])],
    ['an unknown cookie', lie((r) => [chunk({ ...r, cookie: r.cookie + 77n }, 0, Buffer.alloc(0), true)])],
    [
      'a cookie beyond 2^32',
      lie((r) => [chunk({ ...r, cookie: r.cookie + (1n << 40n) }, 0, Buffer.alloc(0), true)]),
    ],
    ['no magic number', lie(() => [Buffer.alloc(64, 1)])],
    ['an unknown chunk type', lie((r) => [chunk(r, 9, Buffer.alloc(4), true)])],
    ['a block status to a read', lie((r) => [chunk(r, 5, Buffer.alloc(12), true)])],
    [
      'an error message longer than its chunk',
      lie((r) => [chunk(r, 0x8001, Buffer.from([0, 0, 0, 5, 255, 255]), true)]),
    ],
    [
      'a simple reply after structured ones were agreed',
      lie((r) => [
        Buffer.concat([
          u32(0x67446698),
          u32(0),
          chunk(r, 0, Buffer.alloc(0), true).subarray(8, 16),
          Buffer.alloc(r.length),
        ]),
      ]),
    ],
  ])('%s', async (_, disk) => {
    expect(await withFake(disk, (connection) => reasonOf(connection.read(4096, Buffer.alloc(8192))))).toBe(
      'NbdProtocolError',
    );
  });

  test.each<[string, NonNullable<FakeDisk['answer']>]>([
    ['no extents', (r) => [chunk(r, 5, u32(1), true)]],
    ['an extent of no length', (r) => [chunk(r, 5, Buffer.concat([u32(1), u32(0), u32(0)]), true)]],
    ['a context nobody asked for', (r) => [chunk(r, 5, Buffer.concat([u32(9), u32(512), u32(0)]), true)]],
    [
      'one context twice',
      (r) => [0, 1].map((last) => chunk(r, 5, Buffer.concat([u32(1), u32(512), u32(0)]), last === 1)),
    ],
    ['no context at all', (r) => [chunk(r, 0, Buffer.alloc(0), true)]],
    ['data', (r) => [dataChunk(r, 0, Buffer.alloc(512), true)]],
    [
      '16 MiB of extents',
      (r) => [Buffer.concat([chunk(r, 5, Buffer.alloc(4), true).subarray(0, 16), u32(0x1000004)])],
    ],
  ])('block status: %s', async (_, answer) => {
    expect(await withFake({ answer }, (connection) => reasonOf(connection.blockStatus(0, 65536)))).toBe(
      'NbdProtocolError',
    );
  });
});

describe('a server that goes away or falls silent', () => {
  test('ends every open read with NbdGone when it hangs up', async () => {
    const reasons = await withFake(
      { answer: (r, honest) => (r.offset > 0 ? 'hangup' : honest) },
      async (connection) => {
        await connection.read(0, Buffer.alloc(512));
        const open = [1, 2, 3].map((n) => reasonOf(connection.read(n * 4096, Buffer.alloc(512))));
        return [...(await Promise.all(open)), await reasonOf(connection.read(0, Buffer.alloc(512)))];
      },
    );
    expect(reasons).toEqual(['NbdGone', 'NbdGone', 'NbdGone', 'NbdGone']);
  });

  test('is NbdGone when it says it is shutting down', async () => {
    expect(
      await withFake(
        lie((r) => [errorChunk(r, 108, 'bye')]),
        readSome,
      ),
    ).toBe('NbdGone');
  });

  test('is NbdSilent when it owes an answer for too long', async () => {
    expect(await withFake({ answer: () => null }, readSome, 100)).toBe('NbdSilent');
  });

  test('is left alone while it owes nothing', async () => {
    expect(await withFake({}, idle, 100)).toBe('no error');
  });

  test('does not keep a close waiting', async () => {
    const started = performance.now();
    await withFake({ answer: () => null }, () => Promise.resolve());
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('opening an export', () => {
  test.each<[string, Partial<FakeDisk>, string]>([
    ['is refused without the export', { option: optionError(0x80000006) }, 'NbdRefused'],
    ['is refused when TLS is demanded', { option: optionError(0x80000005) }, 'NbdRefused'],
    [
      'is refused by an old-style server',
      { greeting: Buffer.from('4e42444d414749430000420281861253' + '00'.repeat(40), 'hex') },
      'NbdRefused',
    ],
    [
      'fails on anything else that speaks',
      { greeting: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
      'NbdProtocolError',
    ],
    ['fails on a server that says nothing', { greeting: null }, 'NbdSilent'],
    ['is refused when the server hangs up', { option: () => 'hangup' }, 'NbdRefused'],
    [
      'fails on an option reply of 4 GiB',
      { option: (option, honest) => Buffer.concat([honest.subarray(0, 16), u32(0xffffffff)]) },
      'NbdProtocolError',
    ],
    [
      'fails on a reply to another option',
      { option: () => Buffer.concat([Buffer.from('0003e889045565a9', 'hex'), u32(99), u32(1), u32(0)]) },
      'NbdProtocolError',
    ],
    ['works', {}, 'no error'],
  ])('%s', async (_, disk, reason) => {
    expect(await open(disk)).toBe(reason);
  });

  test('is refused without a socket, and says which', async () => {
    await using server = await serveFake({ content });
    const address = { ...server.address, connect: { path: '/nowhere/s' } };
    const failed = connectNbd({ address, contexts, stallMilliseconds: 1000 }, never);
    await expect(failed).rejects.toMatchObject({
      reason: 'NbdRefused',
      message: expect.stringContaining('ENOENT'),
    });
  });

  test('asks for contexts by name and learns which were granted', async () => {
    await using server = await serveFake({ content, contexts: allData });
    const wanted = ['base:allocation', 'qemu:dirty-bitmap:cp1'];
    const connection = await connectNbd(
      { address: server.address, contexts: wanted, stallMilliseconds: 1000 },
      never,
    );
    await connection.close();
    expect([...connection.contexts.keys()]).toEqual(['base:allocation']);
  });
});

test('an abort ends what is under way with its own reason', async () => {
  await using server = await serveFake({ content, answer: () => null });
  const abort = new AbortController();
  const connection = await connectNbd(
    { address: server.address, contexts: [], stallMilliseconds: 10_000 },
    abort.signal,
  );
  const read = reasonOf(connection.read(0, Buffer.alloc(512)));
  abort.abort(new Aborted('a test'));
  expect(await read).toBe('Aborted');
  await connection.close();
});
