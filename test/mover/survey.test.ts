import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CopyExtent, Extent } from '../../src/domain/extents.ts';
import { changedClusters, type Surveyable, survey } from '../../src/mover/survey.ts';
import { clip } from './support/fake-nbd-server.ts';

const CLUSTER = 65536;
const BITMAP = 'qemu:dirty-bitmap:b';

/** Answers at most `most` extents a time for each context. */
function source(
  sizeBytes: number,
  contexts: Record<string, readonly Extent[]>,
  most = 1,
): Surveyable & { asked: number[] } {
  const asked: number[] = [];
  return {
    asked,
    sizeBytes,
    contexts: new Map(Object.keys(contexts).map((name, id) => [name, id])),
    blockStatus: (offset, length) => {
      asked.push(offset);
      return Promise.resolve(
        new Map(
          Object.entries(contexts).map(([name, all]) => [name, clip(all, offset, length).slice(0, most)]),
        ),
      );
    },
  };
}

async function collect(extents: AsyncIterable<CopyExtent>): Promise<CopyExtent[]> {
  const list: CopyExtent[] = [];
  for await (const extent of extents) list.push(extent);
  return list;
}

/** Neighbours of one kind as one: where a window ends makes no difference. */
function merged(extents: readonly CopyExtent[]): CopyExtent[] {
  const list: CopyExtent[] = [];
  for (const extent of extents) {
    const last = list.at(-1);
    if (last?.kind === extent.kind) list[list.length - 1] = { ...last, length: last.length + extent.length };
    else list.push(extent);
  }
  return list;
}

const cuts = fc.array(fc.tuple(fc.integer({ min: 1, max: 3 * CLUSTER }), fc.nat(3)), {
  minLength: 1,
  maxLength: 20,
});

function cover(size: number, list: readonly (readonly [number, number])[], mask: number): Extent[] {
  const extents: Extent[] = [];
  let offset = 0;
  for (const [length, flags] of [...list, [size, 0] as const]) {
    const end = Math.min(offset + length, size);
    if (end > offset) extents.push({ offset, length: end - offset, flags: flags & mask });
    offset = end;
  }
  return extents;
}

test('small windows and short answers tell the same as one answer to all', async () => {
  const sizes = fc.integer({ min: 1, max: 20 * CLUSTER });
  await fc.assert(
    fc.asyncProperty(
      sizes,
      sizes,
      cuts,
      cuts,
      fc.integer({ min: 1, max: 4 }),
      async (size, parent, a, b, clusters) => {
        const contexts = { 'base:allocation': cover(size, a, 2), [BITMAP]: cover(size, b, 1) };
        const told = async (most: number, window?: number) => {
          const disk = source(size, contexts, most);
          const changed = await changedClusters(disk, BITMAP, Math.min(parent, size));
          return merged(await collect(survey(disk, changed, window)));
        };
        expect(await told(1, clusters * CLUSTER)).toEqual(await told(1000));
      },
    ),
  );
});

test('a server that tells nothing about a bitmap does not make the survey turn for ever', async () => {
  const size = 10 * CLUSTER;
  const contexts = { 'base:allocation': [{ offset: 0, length: size, flags: 0 }], [BITMAP]: [] };
  const told = changedClusters(source(size, contexts), BITMAP, size);
  await expect(told).rejects.toMatchObject({ reason: 'NbdProtocolError' });
});

test('a server that tells nothing about the allocation does not make the survey turn for ever', async () => {
  const size = 100 * CLUSTER;
  const told = collect(survey(source(size, { 'base:allocation': [] }), null));
  await expect(told).rejects.toMatchObject({ reason: 'NbdProtocolError' });
});

test('of a disk of 1 TiB that hardly changed, only the bitmap is asked for, and by one question', async () => {
  const size = 2 ** 40;
  const written = { offset: 2 ** 39, length: CLUSTER, flags: 1 };
  const rest = written.offset + CLUSTER;
  const disk = source(
    size,
    {
      'base:allocation': [{ offset: 0, length: size, flags: 0 }],
      [BITMAP]: [
        { offset: 0, length: written.offset, flags: 0 },
        written,
        { offset: rest, length: size - rest, flags: 0 },
      ],
    },
    1000,
  );
  expect(await collect(survey(disk, await changedClusters(disk, BITMAP, size)))).toEqual([
    { offset: 0, length: written.offset, kind: 'clean' },
    { offset: written.offset, length: CLUSTER, kind: 'data' },
    { offset: rest, length: size - rest, kind: 'clean' },
  ]);
  expect(disk.asked).toEqual([0]);
});

test('whether a long stretch that changed is zero now is asked, and then it is not read', async () => {
  const size = 64 * CLUSTER;
  const disk = source(size, {
    'base:allocation': [{ offset: 0, length: size, flags: 3 }],
    [BITMAP]: [{ offset: 0, length: size, flags: 1 }],
  });
  expect(await collect(survey(disk, await changedClusters(disk, BITMAP, size)))).toEqual([
    { offset: 0, length: size, kind: 'zero' },
  ]);
});
