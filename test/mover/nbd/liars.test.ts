import { describe, expect, test, vi } from 'vitest';
import type { Framing } from '../../../src/mover/nbd/handshake.ts';
import {
  chunk,
  chunkHead,
  dataChunk,
  errorChunk,
  holeChunk,
  simpleReply,
  statusChunk,
  u32,
  u64,
} from '../support/fake-nbd-messages.ts';
import type { FakeDisk } from '../support/fake-nbd-server.ts';
import { reasonOf, withFake } from './rig.ts';

vi.setConfig({ testTimeout: 60_000 });

type Answer = NonNullable<FakeDisk['answer']>;
const nothing = Buffer.alloc(0);

/** What the client asks for here: 8192 bytes at 4096. */
const lies: readonly (readonly [string, Answer])[] = [
  ['more data than asked', (r) => [dataChunk(r, r.offset, Buffer.alloc(r.length + 1), true)]],
  ['less data than asked', (r) => [dataChunk(r, r.offset, Buffer.alloc(r.length - 1), true)]],
  ['nothing, and done', (r) => [chunk(r, 0, nothing, true)]],
  ['nothing, and not done', (r) => [chunk(r, 0, nothing, false)]],
  ['data before the request', (r) => [dataChunk(r, r.offset - 1, Buffer.alloc(r.length), true)]],
  ['data after the request', (r) => [dataChunk(r, r.offset + r.length, Buffer.alloc(1), true)]],
  ['data of no length', (r) => [dataChunk(r, r.offset, nothing, true)]],
  ['a hole of no length', (r) => [holeChunk(r, r.offset, 0, false)]],
  ['a hole of 4 GiB', (r) => [holeChunk(r, r.offset, 0xffffffff, true)]],
  ['a hole in 11 bytes', (r) => [chunk(r, 2, Buffer.alloc(11), true)]],
  [
    'the same half twice',
    (r) => [
      dataChunk(r, r.offset, Buffer.alloc(r.length / 2), false),
      dataChunk(r, r.offset, Buffer.alloc(r.length / 2), true),
    ],
  ],
  [
    'the second half twice',
    (r) => [
      dataChunk(r, r.offset + r.length / 2, Buffer.alloc(r.length / 2), false),
      dataChunk(r, r.offset + r.length / 2, Buffer.alloc(r.length / 2), true),
    ],
  ],
  [
    'data, and a hole over its end',
    (r) => [
      dataChunk(r, r.offset, Buffer.alloc(r.length), false),
      holeChunk(r, r.offset + r.length - 1, 1, true),
    ],
  ],
  [
    'a byte here and a byte there, for ever',
    (r) =>
      Array.from({ length: 10_000 }, (_, i) => dataChunk(r, r.offset + (i % 2) * 2, Buffer.alloc(1), false)),
  ],
  ['a chunk claiming 4 GiB', (r) => [chunkHead(r, 1, 0xffffffff, true), Buffer.alloc(64)]],
  ['an error claiming 4 GiB', (r) => [chunkHead(r, 0x8001, 0xffffffff, true), Buffer.alloc(64)]],
  ['an offset beyond 2^53', (r) => [chunk(r, 1, Buffer.alloc(9, 0xff), true)]],
  [
    'an unknown cookie',
    (r) => [dataChunk({ ...r, cookie: r.cookie + 77n }, r.offset, Buffer.alloc(r.length), true)],
  ],
  [
    'a cookie beyond 2^32',
    (r) => [dataChunk({ ...r, cookie: r.cookie + (1n << 40n) }, r.offset, Buffer.alloc(r.length), true)],
  ],
  ['no magic number', () => [Buffer.alloc(64, 1)]],
  ['an unknown chunk type', (r) => [chunk(r, 9, Buffer.alloc(4), true)]],
  ['a block status', (r) => [statusChunk(r, 1, [[8192, 0]], true)]],
  ['an error of 3 bytes', (r) => [chunk(r, 0x8001, Buffer.alloc(3), true)]],
  [
    'an error message longer than its chunk',
    (r) => [chunk(r, 0x8001, Buffer.from([0, 0, 0, 5, 255, 255]), true)],
  ],
  ['a simple reply', (r) => [simpleReply(r, 0, Buffer.alloc(r.length))]],
];

const statusLies: readonly (readonly [string, Answer])[] = [
  ['no extents', (r) => [statusChunk(r, 1, [], true)]],
  ['an extent of no length', (r) => [statusChunk(r, 1, [[0, 0]], true)]],
  [
    'an extent of no length behind the end',
    (r) => [
      statusChunk(
        r,
        1,
        [
          [1e6, 0],
          [0, 0],
        ],
        true,
      ),
    ],
  ],
  ['a context nobody asked for', (r) => [statusChunk(r, 9, [[512, 0]], true)]],
  ['one context twice', (r) => [0, 1].map((last) => statusChunk(r, 1, [[512, 0]], last === 1))],
  ['no context at all', (r) => [chunk(r, 0, nothing, true)]],
  ['data', (r) => [dataChunk(r, 0, Buffer.alloc(512), true)]],
  ['a hole', (r) => [holeChunk(r, 0, 512, true)]],
  ['half an extent', (r) => [chunk(r, r.framing === 'extended' ? 6 : 5, Buffer.alloc(10, 1), true)]],
  [
    'a million extents and one',
    (r) => [chunkHead(r, r.framing === 'extended' ? 6 : 5, 16 * 1048577 + 8, true)],
  ],
  ['4 GiB of extents', (r) => [chunkHead(r, r.framing === 'extended' ? 6 : 5, 0xfffffffc, true)]],
  [
    'extents of the other framing',
    (r) => [
      statusChunk(
        { ...r, framing: r.framing === 'extended' ? 'structured' : 'extended' },
        1,
        [[512, 0]],
        true,
      ),
    ],
  ],
  ['success without a word', (r) => [simpleReply(r, 0, Buffer.alloc(16))]],
];

describe.each<Framing>(['structured', 'extended'])(
  'a server that lies in %s replies: NbdProtocolError',
  (framing) => {
    test.each(lies)('%s', async (_, answer) => {
      const reason = withFake({ framing, answer }, (connection) =>
        reasonOf(connection.read(4096, Buffer.alloc(8192))),
      );
      expect(await reason).toBe('NbdProtocolError');
    });

    test.each(statusLies)('block status: %s', async (_, answer) => {
      const reason = withFake({ framing, answer }, (connection) =>
        reasonOf(connection.blockStatus(0, 65536)),
      );
      expect(await reason).toBe('NbdProtocolError');
    });

    test('a reply that comes twice', async () => {
      const reasons = withFake(
        { framing, answer: (_, honest) => [...honest, ...honest] },
        async (connection) => {
          const first = await reasonOf(connection.read(0, Buffer.alloc(512)));
          return [first, await reasonOf(connection.read(0, Buffer.alloc(512)))];
        },
      );
      expect(await reasons).toEqual(['no error', 'NbdProtocolError']);
    });
  },
);

describe('only with extended headers', () => {
  test.each<[string, Answer]>([
    [
      'the offset of another request',
      (r) => [statusChunk({ ...r, offset: r.offset + 1 }, 1, [[512, 0]], true)],
    ],
    [
      'a count that is not that of the extents',
      (r) => [chunk(r, 6, Buffer.concat([u32(1), u32(2), u64(512), u64(0)]), true)],
    ],
    [
      'an extent of 2^63 bytes',
      (r) => [chunk(r, 6, Buffer.concat([u32(1), u32(1), u64(1n << 63n), u64(0)]), true)],
    ],
    ['a chunk of 2^63 bytes', (r) => [chunkHead(r, 6, 0, true).fill(0x80, 24)]],
  ])('%s', async (_, answer) => {
    const reason = withFake({ framing: 'extended', answer }, (connection) =>
      reasonOf(connection.blockStatus(0, 65536)),
    );
    expect(await reason).toBe('NbdProtocolError');
  });
});

test('a simple server that sends structured replies', async () => {
  const answer: Answer = (r) => [
    dataChunk({ ...r, framing: 'structured' }, r.offset, Buffer.alloc(r.length), true),
  ];
  const reason = withFake({ framing: 'simple', answer }, (connection) =>
    reasonOf(connection.read(0, Buffer.alloc(512))),
  );
  expect(await reason).toBe('NbdProtocolError');
});

test('after a lie nothing of this server is believed: every other read fails too', async () => {
  const answer: Answer = (r, honest) =>
    r.offset === 0 ? honest : [errorChunk({ ...r, cookie: 999n }, 5, '')];
  const reasons = await withFake({ answer }, async (connection) => {
    const reads = [4096, 8192].map((offset) => reasonOf(connection.read(offset, Buffer.alloc(512))));
    return [...(await Promise.all(reads)), await reasonOf(connection.read(0, Buffer.alloc(512)))];
  });
  expect(reasons).toEqual(Array.from({ length: 3 }, () => 'NbdProtocolError'));
});
