import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { MoverError } from '../../../src/mover/errors.ts';
import { Filling } from '../../../src/mover/nbd/filling.ts';
import {
  type Framing,
  greet,
  type NbdExport,
  negotiate,
  startTls,
} from '../../../src/mover/nbd/handshake.ts';
import { replies } from '../../../src/mover/nbd/replies.ts';
import type { Request } from '../../../src/mover/nbd/requests.ts';
import type { Wants } from '../../../src/mover/nbd/wants.ts';
import {
  chunkHead,
  dataChunk,
  type FakeRequest,
  optionReply,
  statusChunk,
  u16,
  u64,
} from '../support/fake-nbd-messages.ts';

vi.setConfig({ testTimeout: 60_000 });

/** No parser may ask for more memory at once than this, whatever it is told. */
const MEMORY_LIMIT = 64 * 1024;
const framings = ['simple', 'structured', 'extended'] as const;
const send = (): void => {};

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

const agreed = (framing: Framing): NbdExport => ({
  sizeBytes: 1 << 20,
  framing,
  contexts: new Map([['base:allocation', 1]]),
  minimumBlockBytes: 1,
  maximumBlockBytes: 1 << 25,
});

function openRequests(): Map<number, Request> {
  const base = { offset: 0, length: 4096, error: null, resolve: () => {}, reject: () => {} };
  return new Map<number, Request>([
    [1, { ...base, kind: 'read', buffer: Buffer.alloc(4096), filled: [] }],
    [2, { ...base, kind: 'status', extents: new Map() }],
  ]);
}

const asked = (framing: Framing, cookie: number): FakeRequest => ({
  framing,
  flags: 0,
  command: 0,
  cookie: BigInt(cookie),
  offset: 0,
  length: 4096,
});

const length = fc.oneof(
  fc.constantFrom(0, 1, 2, 4, 8, 12, 20, 24, 4096, 4104, 1 << 20, 1 << 30, 0xffffffff),
  fc.nat(5000),
);
/** Something like a chunk: right magic and cookie most of the time, numbers near the edges. */
const chunkLike = (framing: Framing): fc.Arbitrary<Buffer> =>
  fc
    .record({
      isLast: fc.boolean(),
      type: fc.constantFrom(0, 1, 2, 5, 6, 0x8001, 0x8002, 3, 0x9000),
      cookie: fc.constantFrom(1, 2, 3),
      length,
      body: fc.uint8Array({ maxLength: 40 }),
    })
    .map(({ isLast, type, cookie, length, body }) =>
      Buffer.concat([chunkHead(asked(framing, cookie), type, length, isLast), body]),
    );

/** Right bytes, a few of them wrong. */
const mutated = (right: Buffer): fc.Arbitrary<Buffer> =>
  fc.array(fc.tuple(fc.nat(right.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }).map((changes) => {
    const bytes = Buffer.from(right);
    for (const [at, value] of changes) bytes[at] = value;
    return bytes;
  });

describe.each(framings)(
  'whatever %s replies come, each ends in a typed error, in an answer, or wants more',
  (framing) => {
    const run = (bytes: Uint8Array): string | undefined =>
      feed(replies(openRequests(), agreed(framing)), Buffer.from(bytes))?.reason;

    test('random bytes', () => {
      fc.assert(
        fc.property(fc.uint8Array({ minLength: 32, maxLength: 300 }), (bytes) => {
          expect(run(bytes)).toBe('NbdProtocolError');
        }),
      );
    });

    test('almost right bytes', () => {
      fc.assert(
        fc.property(fc.array(chunkLike(framing), { minLength: 1, maxLength: 6 }), (chunks) => {
          expect([undefined, 'NbdProtocolError', 'NbdGone']).toContain(run(Buffer.concat(chunks)));
        }),
        { numRuns: 2000 },
      );
    });

    test('right bytes, a few of them changed', () => {
      const right = Buffer.concat([
        statusChunk(
          asked(framing, 2),
          1,
          [
            [512, 0],
            [1024, 3],
            [9999, 0],
          ],
          true,
        ),
        dataChunk(asked(framing, 1), 0, Buffer.alloc(4096), true),
      ]);
      fc.assert(
        fc.property(mutated(right), (bytes) => {
          expect([undefined, 'NbdProtocolError', 'NbdGone']).toContain(run(bytes));
        }),
        { numRuns: 2000 },
      );
    });
  },
);

describe('whatever a server says at the opening', () => {
  function* opening(): Wants<NbdExport> {
    yield* greet(send);
    yield* startTls(send);
    return yield* negotiate('x', ['base:allocation'], send);
  }
  const greeting = Buffer.from('NBDMAGICIHAVEOPT\0\x03', 'latin1');
  const typed = [undefined, 'NbdProtocolError', 'NbdRefused'];

  test('random bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 18, maxLength: 100 }), (bytes) => {
        expect(feed(opening(), Buffer.from(bytes))?.reason).toBe('NbdProtocolError');
      }),
    );
  });

  test('option replies of every kind', () => {
    const reply = fc
      .record({
        option: fc.constantFrom(5, 7, 8, 10, 11),
        type: fc.constantFrom(1, 1, 1, 3, 4, 0x80000001, 0x80000006),
        body: fc.uint8Array({ maxLength: 20 }),
      })
      .map(({ option, type, body }) => optionReply(option, type, Buffer.from(body)));
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 12 }), (answers) => {
        expect(typed).toContain(feed(opening(), Buffer.concat([greeting, ...answers]))?.reason);
      }),
      { numRuns: 2000 },
    );
  });

  test('a right opening, a few bytes of it changed', () => {
    const size = Buffer.concat([u16(0), u64(4096), u16(3)]);
    const right = Buffer.concat([
      greeting,
      optionReply(5, 1),
      optionReply(11, 1),
      optionReply(10, 4, Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from('base:allocation')])),
      optionReply(10, 1),
      optionReply(7, 3, size),
      optionReply(7, 3, Buffer.from('0003000000010000100002000000', 'hex')),
      optionReply(7, 1),
    ]);
    expect(feed(opening(), right)).toBeNull();
    fc.assert(
      fc.property(mutated(right), (bytes) => {
        expect(typed).toContain(feed(opening(), bytes)?.reason);
      }),
      { numRuns: 3000 },
    );
  });
});

test('a parser sees the same bytes, in whatever pieces they come', () => {
  function* takesTen(): Wants<string> {
    const parts: string[] = [];
    for (const bytes of [1, 4, 2, 3]) {
      const part = Buffer.alloc(bytes);
      yield part;
      parts.push(part.toString());
    }
    seen = parts.join('|');
    return seen;
  }
  let seen = '';
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 12, maxLength: 12 }), (sizes) => {
      const filling = new Filling(takesTen());
      let rest = Buffer.from('0123456789ab');
      let left = '';
      for (const size of sizes) {
        left += filling.feed(rest.subarray(0, size)).toString();
        rest = rest.subarray(size);
      }
      expect([seen, left, filling.isDone]).toEqual(['0|1234|56|789', 'ab', true]);
    }),
  );
});
