import { describe, expect, test, vi } from 'vitest';
import { connectNbd } from '../../../src/mover/nbd/connection.ts';
import type { Framing } from '../../../src/mover/nbd/handshake.ts';
import { optionReply, u16, u32, u64 } from '../support/fake-nbd-messages.ts';
import { type FakeDisk, serveFake } from '../support/fake-nbd-server.ts';
import { allData, content, contexts, never, reasonOf, withFake } from './rig.ts';

vi.setConfig({ testTimeout: 60_000 });

/** Answers one option with an error. */
const refusing =
  (refused: number, error: number): NonNullable<FakeDisk['option']> =>
  (option) =>
    option === refused ? optionReply(option, error, 'why') : undefined;

/** Says something of its own before the honest answer to GO. */
const telling =
  (info: Buffer): NonNullable<FakeDisk['option']> =>
  (option, honest) =>
    option === 7 ? Buffer.concat([optionReply(7, 3, info), honest.subarray(-20)]) : undefined;

const exportInfo = Buffer.concat([u16(0), u64(1024), u16(3)]);
const blockInfo = (minimum: number, maximum: number): NonNullable<FakeDisk['option']> => {
  const blocks = Buffer.concat([u16(3), u32(minimum), u32(4096), u32(maximum)]);
  return (option) =>
    option === 7
      ? Buffer.concat([optionReply(7, 3, exportInfo), optionReply(7, 3, blocks), optionReply(7, 1)])
      : undefined;
};

const GO = 7;
const STRUCTURED = 8;
const META = 10;
const EXTENDED = 11;
const UNSUPPORTED = 0x80000001;
const POLICY = 0x80000002;
const INVALID = 0x80000003;
const TLS_REQUIRED = 0x80000005;
const UNKNOWN = 0x80000006;
const SHUTDOWN = 0x80000007;

test.each<[string, Partial<FakeDisk>, string]>([
  ['works', {}, 'no error'],
  ['is refused without the export', { option: refusing(GO, UNKNOWN) }, 'NbdRefused'],
  ['is refused without GO', { option: refusing(GO, UNSUPPORTED) }, 'NbdRefused'],
  [
    'is refused when the server says so at the first option',
    { option: refusing(EXTENDED, SHUTDOWN) },
    'NbdRefused',
  ],
  ['is refused by an error yet to come', { option: refusing(META, 0x80004711) }, 'NbdRefused'],
  [
    'is refused by an old-style server',
    { greeting: Buffer.from(`4e42444d414749430000420281861253${'00'.repeat(40)}`, 'hex') },
    'NbdRefused',
  ],
  [
    'is refused by a server before the fixed newstyle',
    { greeting: Buffer.from('NBDMAGICIHAVEOPT\0\0') },
    'NbdRefused',
  ],
  ['is refused when the server hangs up', { option: () => 'hangup' }, 'NbdRefused'],
  [
    'fails on anything else that speaks',
    { greeting: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n') },
    'NbdProtocolError',
  ],
  ['fails on a server that says nothing', { greeting: null }, 'NbdSilent'],
  [
    'fails on an option reply of 4 GiB',
    { option: (_, honest) => Buffer.concat([honest.subarray(0, 16), u32(0xffffffff)]) },
    'NbdProtocolError',
  ],
  ['fails on a reply to another option', { option: () => optionReply(99, 1) }, 'NbdProtocolError'],
  ['fails on a reply without its magic number', { option: () => Buffer.alloc(20, 7) }, 'NbdProtocolError'],
  [
    'fails on an answer that never ends',
    { option: () => Buffer.concat(Array.from({ length: 2000 }, () => optionReply(EXTENDED, 3))) },
    'NbdProtocolError',
  ],
  [
    'fails on an export without a size',
    { option: telling(Buffer.concat([u16(1), Buffer.from('name')])) },
    'NbdProtocolError',
  ],
  [
    'fails on a size of 2^63',
    { option: telling(Buffer.concat([u16(0), u64(1n << 63n), u16(3)])) },
    'NbdProtocolError',
  ],
  ['works with information nobody asked for', { option: telling(exportInfo) }, 'no error'],
  ['fails on a minimum block of 0', { option: blockInfo(0, 4096) }, 'NbdProtocolError'],
  ['fails on a minimum block of 3', { option: blockInfo(3, 4096) }, 'NbdProtocolError'],
  ['fails on a minimum block of 128 KiB', { option: blockInfo(131_072, 1 << 20) }, 'NbdProtocolError'],
  ['fails on a minimum block of 2 GiB', { option: blockInfo(2 ** 31, 0xffffffff) }, 'NbdProtocolError'],
  ['fails on a maximum block of 0', { option: blockInfo(1, 0) }, 'NbdProtocolError'],
  ['fails on a maximum block below the minimum', { option: blockInfo(4096, 2048) }, 'NbdProtocolError'],
  ['works with a maximum that is no multiple of the minimum', { option: blockInfo(4096, 5000) }, 'no error'],
])('%s', async (_, disk, reason) => {
  expect(await reasonOf(withFake(disk, () => Promise.resolve(), 1500))).toBe(reason);
});

test('the largest read is whole blocks, and never more than 32 MiB', async () => {
  const largest = async (minimum: number, maximum: number): Promise<number> =>
    await withFake({ option: blockInfo(minimum, maximum) }, (c) => Promise.resolve(c.maximumBlockBytes));
  expect(await largest(4096, 5000)).toBe(4096);
  expect(await largest(1, 0xffffffff)).toBe(32 * 1024 * 1024);
});

describe('what the server lacks is gone without', () => {
  test.each<[string, Partial<FakeDisk>, Framing]>([
    ['extended headers, where they are offered', { framing: 'extended' }, 'extended'],
    ['structured replies, where extended headers are unknown', {}, 'structured'],
    [
      'structured replies, where extended headers are forbidden',
      { option: refusing(EXTENDED, POLICY) },
      'structured',
    ],
    [
      'simple replies, where all else is forbidden',
      { framing: 'simple', option: refusing(STRUCTURED, POLICY) },
      'simple',
    ],
  ])('%s', async (_, disk, framing) => {
    expect(await withFake(disk, (connection) => Promise.resolve(connection.framing))).toBe(framing);
  });

  test.each([UNSUPPORTED, POLICY, INVALID])('meta contexts, refused by error %i', async (error) => {
    await withFake({ option: refusing(META, error) }, async (connection) => {
      expect(connection.contexts.size).toBe(0);
      expect(await connection.blockStatus(0, 4096)).toEqual(new Map());
    });
  });

  test('a context that was granted before the refusal', async () => {
    const option: FakeDisk['option'] = (option, honest) =>
      option === META ? Buffer.concat([honest.subarray(0, -20), optionReply(META, INVALID)]) : undefined;
    await withFake({ option }, async (connection) => expect(connection.contexts.size).toBe(0));
  });

  test('the bitmap, where only base:allocation is granted', async () => {
    await using server = await serveFake({ content, contexts: allData });
    const wanted = ['base:allocation', 'qemu:dirty-bitmap:cp1'];
    const options = { address: server.address, contexts: wanted, stallMilliseconds: 1000 };
    const connection = await connectNbd(options, never);
    expect([...connection.contexts.keys()]).toEqual(['base:allocation']);
    expect([...(await connection.blockStatus(0, 4096)).keys()]).toEqual(['base:allocation']);
    await connection.close();
  });
});

test.each([EXTENDED, STRUCTURED, META, GO])(
  'TLS demanded at option %i is refused with words that help',
  async (option) => {
    const opening = withFake({ option: refusing(option, TLS_REQUIRED) }, () => Promise.resolve());
    await expect(opening).rejects.toMatchObject({
      reason: 'NbdRefused',
      message: expect.stringMatching(/TLS required \(why\).*nbds:\/\/.*tls-certificates=/),
    });
  },
);

test('a socket that is not there is refused, and the message names it', async () => {
  await using server = await serveFake({ content });
  const address = { ...server.address, connect: { path: '/nowhere/s' } };
  const opening = connectNbd({ address, contexts, stallMilliseconds: 1000 }, never);
  await expect(opening).rejects.toMatchObject({
    reason: 'NbdRefused',
    message: expect.stringMatching(/ENOENT.*backup job/),
  });
});
