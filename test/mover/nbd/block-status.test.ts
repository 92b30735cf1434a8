import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import type { Extent } from '../../../src/domain/extents.ts';
import { coveredUntil } from '../../../src/domain/extents.ts';
import { connectNbd, type NbdConnection } from '../../../src/mover/nbd/connection.ts';
import type { Framing } from '../../../src/mover/nbd/handshake.ts';
import { optionReply, statusChunk, u16, u64 } from '../support/fake-nbd-messages.ts';
import { type FakeDisk, serveFake } from '../support/fake-nbd-server.ts';
import { content, contexts, never, withFake } from './rig.ts';

vi.setConfig({ testTimeout: 60_000 });

const GIB = 2 ** 30;

/** Any cover of a disk: lengths and flags, neighbours may be alike. */
const cover = fc.array(fc.tuple(fc.integer({ min: 1, max: 9000 }), fc.nat(3)), {
  minLength: 1,
  maxLength: 30,
});

function extentsOf(parts: readonly (readonly [number, number])[], total: number): Extent[] {
  let offset = 0;
  const extents = parts.map(([length, flags]) => {
    const extent = { offset, length, flags };
    offset += length;
    return extent;
  });
  const rest = { offset, length: Math.max(0, total - offset), flags: 0 };
  return [...extents, rest].filter((extent) => extent.offset < total && extent.length > 0);
}

/** The flags of every byte, by asking again and again from where the answers end, as a survey does. */
async function mapOf(connection: NbdConnection, context: string): Promise<Uint8Array> {
  const map = new Uint8Array(connection.sizeBytes).fill(0xff);
  for (let at = 0, next = 0; at < map.length; at = next) {
    const extents = (await connection.blockStatus(at, map.length - at)).get(context)!;
    expect(extents[0]!.offset).toBe(at);
    extents.forEach((extent, i) => {
      expect(extent.length).toBeGreaterThan(0);
      if (i > 0) expect(extent.offset).toBe(extents[i - 1]!.offset + extents[i - 1]!.length);
      if (i > 0) expect(extent.flags).not.toBe(extents[i - 1]!.flags);
      map.fill(extent.flags, extent.offset, extent.offset + extent.length);
    });
    next = coveredUntil(at, extents);
    expect(next).toBeLessThanOrEqual(map.length);
  }
  return map;
}

/** Cuts what is to be told as a server may: short, long beyond the end, in crumbs. */
function cutter({ keep, crumb, beyond }: { keep: number; crumb: number; beyond: number }) {
  return (extents: readonly Extent[]): Extent[] => {
    const told = extents.slice(0, keep).flatMap((extent) => {
      const crumbs: Extent[] = [];
      for (let at = 0; at < extent.length && crumbs.length < 200; at += crumb)
        crumbs.push({ ...extent, offset: extent.offset + at, length: Math.min(crumb, extent.length - at) });
      return crumbs;
    });
    const last = told.at(-1)!;
    const isLast =
      keep >= extents.length &&
      coveredUntil(extents[0]!.offset, told) === coveredUntil(extents[0]!.offset, extents);
    return isLast ? [...told.slice(0, -1), { ...last, length: last.length + beyond }] : told;
  };
}

test('whatever extents come in whatever cuts, the assembled map is the source', async () => {
  const cuts = fc.record({
    keep: fc.integer({ min: 1, max: 40 }),
    crumb: fc.constantFrom(1000, 4096, 100_000),
    beyond: fc.nat(100_000),
  });
  await fc.assert(
    fc.asyncProperty(
      cover,
      cuts,
      fc.constantFrom<Framing>('structured', 'extended'),
      async (parts, how, framing) => {
        const disk = content.subarray(0, 50_000);
        const extents = extentsOf(parts, disk.length);
        const source = new Uint8Array(disk.length);
        for (const { offset, length, flags } of extents) source.fill(flags, offset, offset + length);
        const served = {
          content: disk,
          framing,
          contexts: { 'base:allocation': extents },
          cutStatus: cutter(how),
        };
        const map = await withFake(served, (connection) => mapOf(connection, 'base:allocation'));
        expect(Buffer.compare(map, source)).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

describe.each<Framing>(['structured', 'extended'])('with %s replies', (framing) => {
  test('extents are told from the offset asked, and cut off at the end', async () => {
    const cutStatus = () => [
      { offset: 0, length: 1000, flags: 0 },
      { offset: 0, length: 999_999, flags: 3 },
      { offset: 0, length: 5, flags: 0 },
    ];
    const answer = await withFake({ framing, cutStatus }, (connection) => connection.blockStatus(4096, 8192));
    expect(answer.get('base:allocation')).toEqual([
      { offset: 4096, length: 1000, flags: 0 },
      { offset: 5096, length: 7192, flags: 3 },
    ]);
  });

  test('each context is told at its own length', async () => {
    const both = {
      'base:allocation': [{ offset: 0, length: content.length, flags: 0 }],
      bitmap: [{ offset: 0, length: content.length, flags: 1 }],
    };
    const cutStatus = (extents: readonly Extent[], context: string) =>
      context === 'bitmap' ? [{ ...extents[0]!, length: 512 }] : extents;
    await using server = await serveFake({ content, framing, contexts: both, cutStatus });
    const options = { address: server.address, contexts: [...contexts, 'bitmap'], stallMilliseconds: 5000 };
    const connection = await connectNbd(options, never);
    const answer = await connection.blockStatus(0, 65_536);
    await connection.close();
    expect([...answer].map(([name, [extent]]) => [name, extent!.length])).toEqual([
      ['base:allocation', 65_536],
      ['bitmap', 512],
    ]);
  });

  test('of a million extents so many are kept as memory allows, and the rest can be asked for', async () => {
    const answer: FakeDisk['answer'] = (r) => [
      statusChunk(
        r,
        1,
        Array.from({ length: 1024 * 1024 }, (_, i) => [1, i % 2] as const),
        true,
      ),
    ];
    await withFake({ framing, answer, option: sized(GIB) }, async (connection) => {
      const extents = (await connection.blockStatus(0, GIB)).get('base:allocation')!;
      expect(extents).toHaveLength(128 * 1024);
      expect(coveredUntil(0, extents)).toBe(128 * 1024);
    });
  });

  test('a million alike are one', async () => {
    const answer: FakeDisk['answer'] = (r) => [
      statusChunk(
        r,
        1,
        Array.from({ length: 1024 * 1024 }, () => [1, 2] as const),
        true,
      ),
    ];
    await withFake({ framing, answer, option: sized(GIB) }, async (connection) => {
      const extents = (await connection.blockStatus(0, GIB)).get('base:allocation');
      expect(extents).toEqual([{ offset: 0, length: 1024 * 1024, flags: 2 }]);
    });
  });
});

/** Tells another size of the disk than it has. */
const sized = (bytes: number): NonNullable<FakeDisk['option']> => {
  const size = Buffer.concat([u16(0), u64(bytes), u16(3)]);
  return (option) => (option === 7 ? Buffer.concat([optionReply(7, 3, size), optionReply(7, 1)]) : undefined);
};

test('a range beyond 4 GiB is asked for at once with extended headers, in parts without', async () => {
  const whole: FakeDisk['answer'] = (r) => [statusChunk(r, 1, [[r.length, 3]], true)];
  const told = async (framing: Framing) =>
    await withFake({ framing, answer: whole, option: sized(1024 * GIB) }, async (connection, server) => {
      const answer = await connection.blockStatus(0, 1024 * GIB);
      expect(coveredUntil(0, answer.get('base:allocation')!)).toBe(server.requests[0]!.length);
      return server.requests.map(({ length }) => length);
    });
  expect(await told('extended')).toEqual([1024 * GIB]);
  expect(await told('structured')).toEqual([4 * GIB - 65_536]);
});

describe('a server that takes whole blocks only', () => {
  test('is asked about them, and the answer is about what was asked', async () => {
    const extents = [
      { offset: 0, length: 10_240, flags: 3 },
      { offset: 10_240, length: 100_000, flags: 0 },
    ];
    await withFake(
      { minimumBlockBytes: 4096, contexts: { 'base:allocation': extents } },
      async (connection, server) => {
        const answer = await connection.blockStatus(9000, 5000);
        expect(server.requests.map(({ offset, length }) => [offset, length])).toEqual([[8192, 8192]]);
        expect(answer.get('base:allocation')).toEqual([
          { offset: 9000, length: 1240, flags: 3 },
          { offset: 10_240, length: 3760, flags: 0 },
        ]);
      },
    );
  });

  test('and tells less than one breaks the protocol', async () => {
    const cutStatus = (): Extent[] => [{ offset: 0, length: 100, flags: 0 }];
    await withFake({ minimumBlockBytes: 4096, cutStatus }, async (connection) => {
      await expect(connection.blockStatus(9000, 5000)).rejects.toMatchObject({ reason: 'NbdProtocolError' });
    });
  });
});
