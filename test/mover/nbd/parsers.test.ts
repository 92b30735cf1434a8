import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MoverError } from '../../../src/mover/errors.ts';
import { handshake, type NbdExport } from '../../../src/mover/nbd/handshake.ts';
import { replies } from '../../../src/mover/nbd/replies.ts';
import type { Request } from '../../../src/mover/nbd/requests.ts';
import { parseNbdUri } from '../../../src/mover/nbd/uri.ts';
import type { Wants } from '../../../src/mover/nbd/wants.ts';

/** No parser may ask for more memory than this, whatever it is told. */
const MEMORY_LIMIT = 2 * 1024 * 1024;

/** Feeds bytes until they or the parser end. Gives the error, if there was one; anything but a typed one fails the test. */
function feed(parser: Wants<unknown>, bytes: Buffer): MoverError | null {
  let at = 0;
  try {
    for (let step = parser.next(); !step.done; step = parser.next()) {
      expect(step.value.length).toBeGreaterThan(0);
      expect(step.value.length).toBeLessThanOrEqual(MEMORY_LIMIT);
      if (at + step.value.length > bytes.length) return null;
      bytes.copy(step.value, 0, at);
      at += step.value.length;
    }
  } catch (error) {
    if (error instanceof MoverError) return error;
    throw error;
  }
  return null;
}

const agreed: NbdExport = {
  sizeBytes: 1 << 20,
  structuredReplies: true,
  contexts: new Map([['base:allocation', 1]]),
  maximumBlockBytes: 1 << 25,
};

function openRequests(): Map<number, Request> {
  const base = { offset: 0, length: 4096, error: null, resolve: () => {}, reject: () => {} };
  return new Map<number, Request>([
    [1, { ...base, kind: 'read', buffer: Buffer.alloc(4096), filled: [] }],
    [2, { ...base, kind: 'status', extents: new Map() }],
  ]);
}

const u32 = fc.oneof(fc.constantFrom(0, 1, 2, 4, 8, 12, 4096, 0xffffffff), fc.nat(5000));
/** Something like a chunk: right magic and cookie most of the time, numbers near the edges. */
const chunkLike = fc
  .record({
    flags: fc.nat(1),
    type: fc.constantFrom(0, 1, 2, 5, 0x8001, 0x8002, 3, 0x9000),
    cookie: fc.constantFrom(1, 2, 3),
    length: u32,
    body: fc.uint8Array({ maxLength: 40 }),
  })
  .map(({ flags, type, cookie, length, body }) => {
    const head = Buffer.alloc(20);
    head.writeUInt32BE(0x668e33ef, 0);
    head.writeUInt16BE(flags, 4);
    head.writeUInt16BE(type, 6);
    head.writeUInt32BE(cookie, 12);
    head.writeUInt32BE(length, 16);
    return Buffer.concat([head, body]);
  });

describe('whatever bytes come, a parser ends in a typed error, in an answer, or wants more', () => {
  test('replies, of random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 300 }), (bytes) => {
        expect(feed(replies(openRequests(), agreed), Buffer.from(bytes))?.reason).toBe('NbdProtocolError');
      }),
    );
  });

  test('replies, of almost right bytes', () => {
    fc.assert(
      fc.property(fc.array(chunkLike, { minLength: 1, maxLength: 6 }), (chunks) => {
        const error = feed(replies(openRequests(), agreed), Buffer.concat(chunks));
        expect([undefined, 'NbdProtocolError', 'NbdGone']).toContain(error?.reason);
      }),
      { numRuns: 2000 },
    );
  });

  test('the handshake, after a right greeting', () => {
    const greeting = Buffer.from('NBDMAGICIHAVEOPT\0\x03', 'latin1');
    const optionReply = fc
      .record({
        option: fc.constantFrom(7, 8, 10),
        type: fc.constantFrom(1, 3, 4, 0x80000001, 0x80000006),
        body: fc.uint8Array({ maxLength: 20 }),
      })
      .map(({ option, type, body }) => {
        const head = Buffer.alloc(20);
        head.writeBigUInt64BE(0x3e889045565a9n, 0);
        head.writeUInt32BE(option, 8);
        head.writeUInt32BE(type, 12);
        head.writeUInt32BE(body.length, 16);
        return Buffer.concat([head, body]);
      });
    fc.assert(
      fc.property(fc.array(optionReply, { maxLength: 8 }), (answers) => {
        const error = feed(
          handshake('x', ['base:allocation'], () => {}),
          Buffer.concat([greeting, ...answers]),
        );
        expect([undefined, 'NbdProtocolError', 'NbdRefused']).toContain(error?.reason);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('an NBD URI', () => {
  test.each([
    ['nbd+unix:///vda?socket=/run/s', { connect: { path: '/run/s' }, exportName: 'vda' }],
    ['nbd+unix:///?socket=/run/s', { connect: { path: '/run/s' }, exportName: '' }],
    ['nbd+unix:///a%2Fb%20c?socket=/x%20y', { connect: { path: '/x y' }, exportName: 'a/b c' }],
    ['nbd://host/vda', { connect: { host: 'host', port: 10809 }, exportName: 'vda' }],
    ['nbd://[::1]:99/vda', { connect: { host: '::1', port: 99 }, exportName: 'vda' }],
  ])('%s is understood', (uri, expected) => {
    expect(parseNbdUri(uri)).toEqual({ ...expected, uri });
  });

  test.each([
    '',
    'vda',
    '/dev/sda',
    'http://x/vda',
    'nbd+unix:///vda',
    `nbd+unix:///vda?socket=/${'x'.repeat(107)}`,
    'nbd+unix:///%zz?socket=/s',
  ])('"%s" is refused', (uri) => {
    expect(() => parseNbdUri(uri)).toThrow(expect.objectContaining({ reason: 'SourceInvalid' }));
  });
});
