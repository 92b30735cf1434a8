import * as fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import type { Extent } from '../../src/domain/extents.ts';
import { copyDisk } from '../../src/mover/copy.ts';
import { Aborted } from '../../src/mover/errors.ts';
import { connectNbd } from '../../src/mover/nbd/connection.ts';
import { Packer } from '../../src/mover/pack/packer.ts';
import { paced, pieceBytesFor } from '../../src/mover/pace.ts';
import { roundUpToSector } from '../../src/mover/qcow2/layout.ts';
import { type ImageShape, Qcow2Writer } from '../../src/mover/qcow2/writer.ts';
import { changedClusters } from '../../src/mover/survey.ts';
import { type FakeDisk, serveFake } from './support/fake-nbd-server.ts';
import { MemoryImage, readImage } from './support/read-image.ts';

const packing = new Packer(2, 3);
afterAll(() => packing[Symbol.asyncDispose]());

const CONTEXTS = ['base:allocation', 'qemu:dirty-bitmap:b'] as const;

async function copy(
  disk: FakeDisk,
  parent: Buffer | null,
  signal = new AbortController().signal,
  pieceBytes = pieceBytesFor(undefined),
  packer: Packer | null = null,
): Promise<{ image: Buffer; totals: object; bytesRead: number }> {
  await using server = await serveFake(disk);
  const connection = await connectNbd(
    { address: server.address, contexts: CONTEXTS, stallMilliseconds: 10_000 },
    signal,
  );
  try {
    const memory = new MemoryImage();
    const shape: ImageShape = {
      virtualSizeBytes: roundUpToSector(connection.sizeBytes),
      backingFile: parent ? '../p/vda.qcow2' : null,
      compression: packer ? 'zstd' : 'none',
    };
    const writer = new Qcow2Writer(memory, shape);
    const changed = parent ? await changedClusters(connection, CONTEXTS[1], parent.length) : null;
    const { bytesRead } = await copyDisk(
      connection,
      writer,
      {
        changed,
        packer,
        pace: paced(undefined),
        pieceBytes,
        flush: async () => await memory.flush(),
        onProgress: () => {},
      },
      signal,
    );
    writer.finish();
    await memory.flush();
    return { image: memory.bytes, totals: writer.totals, bytesRead };
  } finally {
    await connection.close();
  }
}

/** A disk as a parent held it, and as it is now: stretches written, zeroed (told as zeros or not) or left alone, cut anywhere. */
const history = fc.record({
  parentBytes: fc.integer({ min: 1, max: 900 }).map((sectors) => sectors * 512),
  grownBytes: fc.oneof(
    fc.constant(0),
    fc.integer({ min: 1, max: 400 }).map((sectors) => sectors * 512),
  ),
  steps: fc.array(
    fc.record({
      at: fc.nat(1_000_000),
      bytes: fc.oneof(fc.integer({ min: 1, max: 4096 }), fc.integer({ min: 1, max: 300_000 })),
      what: fc.constantFrom('write', 'zero', 'zero told as data'),
    }),
    { maxLength: 6 },
  ),
  cut: fc.integer({ min: 1, max: 3 }),
  isPacked: fc.boolean(),
  pieceBytes: fc.constantFrom(64 * 1024, 192 * 1024, 1024 * 1024),
  reorder: fc.integer({ min: 1, max: 3 }),
});

/** A list of equal neighbours as extents. */
function extentsOf(flags: Uint8Array): Extent[] {
  const list: Extent[] = [];
  for (let offset = 0, end = 0; offset < flags.length; offset = end) {
    for (end = offset; end < flags.length && flags[end] === flags[offset]; ) end++;
    list.push({ offset, length: end - offset, flags: flags[offset]! });
  }
  return list;
}

function play({
  parentBytes,
  grownBytes,
  steps,
}: Pick<typeof history extends fc.Arbitrary<infer T> ? T : never, 'parentBytes' | 'grownBytes' | 'steps'>) {
  const parent = Buffer.alloc(parentBytes, 0x41);
  const now = Buffer.alloc(parentBytes + grownBytes);
  parent.copy(now);
  const zero = new Uint8Array(now.length);
  zero.fill(2, parentBytes);
  const dirty = new Uint8Array(now.length);
  steps.forEach(({ at, bytes, what }, i) => {
    const start = at % now.length;
    const end = Math.min(start + bytes, now.length);
    now.fill(what === 'write' ? 0x80 + i : 0, start, end);
    zero.fill(what === 'zero' ? 2 : 0, start, end);
    dirty.fill(1, start, end);
  });
  const contexts = { 'base:allocation': extentsOf(zero), 'qemu:dirty-bitmap:b': extentsOf(dirty) };
  return { parent, now, contexts };
}

test('whatever extents the server tells, parent and incremental together are the disk', async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ cut, reorder, pieceBytes, isPacked, ...steps }) => {
      const { parent, now, contexts } = play(steps);
      // Each context is told at another length.
      const cutStatus = (extents: readonly Extent[], context: string) =>
        extents.slice(0, context === 'base:allocation' ? cut : 1);
      const disk = { content: now, contexts, cutStatus, reorder };
      const { image } = await copy(disk, parent, undefined, pieceBytes, isPacked ? packing : null);
      expect(readImage(image, parent).equals(now)).toBe(true);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('whatever extents the server tells, a full is the disk', async () => {
  await fc.assert(
    fc.asyncProperty(history, async ({ cut, reorder, pieceBytes, isPacked, ...steps }) => {
      const { now, contexts } = play(steps);
      const cutStatus = (extents: readonly Extent[]) => extents.slice(0, cut);
      const disk = { content: now, contexts, cutStatus, reorder };
      const { image } = await copy(disk, null, undefined, pieceBytes, isPacked ? packing : null);
      expect(readImage(image).equals(now)).toBe(true);
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('the part of a grown disk that its parent has not got is read, though the bitmap calls it clean', async () => {
  const parent = Buffer.alloc(100_000 - 352, 1);
  const content = Buffer.concat([parent, Buffer.alloc(200_000, 2)]);
  const everywhere: Extent[] = [{ offset: 0, length: content.length, flags: 0 }];
  const contexts = { 'base:allocation': everywhere, 'qemu:dirty-bitmap:b': everywhere };
  const { image } = await copy({ content, contexts }, parent);
  expect(readImage(image, parent).subarray(0, content.length).equals(content)).toBe(true);
});

test('a server without block status is read whole', async () => {
  const content = Buffer.alloc(300_000, 7);
  const { image } = await copy({ content, simpleOnly: true }, null);
  expect(readImage(image).subarray(0, content.length).equals(content)).toBe(true);
});

test('a full of zeros stores nothing, though the server calls them data', async () => {
  const content = Buffer.alloc(4 * 1024 * 1024);
  const contexts = { 'base:allocation': [{ offset: 0, length: content.length, flags: 0 }] };
  const { totals, bytesRead } = await copy({ content, contexts }, null);
  expect([totals, bytesRead]).toEqual([{ dataBytes: 0, zeroBytes: 0 }, content.length]);
});

test('zeros the server knows of are recorded without being read', async () => {
  const content = Buffer.alloc(1024 * 1024);
  const everywhere = (flags: number): Extent[] => [{ offset: 0, length: content.length, flags }];
  const contexts = { 'base:allocation': everywhere(3), 'qemu:dirty-bitmap:b': everywhere(1) };
  const { totals, bytesRead } = await copy({ content, contexts }, Buffer.alloc(content.length, 1));
  expect([totals, bytesRead]).toEqual([{ dataBytes: 0, zeroBytes: content.length }, 0]);
});

test('a disk whose size is no multiple of a sector is filled up with zeros', async () => {
  const { image } = await copy({ content: Buffer.alloc(1000, 9) }, null);
  expect(readImage(image)).toEqual(Buffer.concat([Buffer.alloc(1000, 9), Buffer.alloc(24)]));
});

test('a disk of many slabs, of stretches that are read and stretches that are not, is the disk', async () => {
  const content = Buffer.alloc(24 * 1024 * 1024);
  const allocation: Extent[] = [];
  for (let offset = 0; offset < content.length; offset += 200_704) {
    const isData = (offset / 200_704) % 3 !== 0;
    const length = Math.min(200_704, content.length - offset);
    allocation.push({ offset, length, flags: isData ? 0 : 3 });
    if (isData) content.fill((offset % 251) + 1, offset, offset + length);
  }
  const { image, bytesRead } = await copy({ content, contexts: { 'base:allocation': allocation } }, null);
  expect(readImage(image).equals(content)).toBe(true);
  expect(bytesRead).toBeLessThan(content.length);
});

test('an abort in the middle ends the copy with its reason', async () => {
  const abort = new AbortController();
  const answer: FakeDisk['answer'] = (request, honest) => {
    if (request.offset > 0) abort.abort(new Aborted('a test'));
    return honest;
  };
  await expect(
    copy({ content: Buffer.alloc(8 * 1024 * 1024, 1), answer }, null, abort.signal),
  ).rejects.toMatchObject({ reason: 'Aborted' });
});
