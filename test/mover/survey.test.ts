import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { CopyExtent, Extent } from '../../src/domain/extents.ts';
import { type Surveyable, survey } from '../../src/mover/survey.ts';
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
        const plan = { dirtyContext: BITMAP, parentSizeBytes: Math.min(parent, size) };
        const whole = await collect(survey(source(size, contexts, 1000), plan));
        const inParts = await collect(survey(source(size, contexts), plan, clusters * CLUSTER));
        expect(merged(inParts)).toEqual(whole);
      },
    ),
  );
});

test('a server that tells nothing about a bitmap does not make the survey turn for ever', async () => {
  const size = 10 * CLUSTER;
  const contexts = { 'base:allocation': [{ offset: 0, length: size, flags: 0 }], [BITMAP]: [] };
  const told = collect(survey(source(size, contexts), { dirtyContext: BITMAP, parentSizeBytes: size }));
  await expect(told).rejects.toMatchObject({ reason: 'NbdProtocolError' });
});

test('a disk of 1 TiB costs a few hundred questions', async () => {
  const size = 2 ** 40;
  const clean = {
    'base:allocation': [{ offset: 0, length: size, flags: 3 }],
    [BITMAP]: [{ offset: 0, length: size, flags: 0 }],
  };
  const disk = source(size, clean);
  expect(merged(await collect(survey(disk, { dirtyContext: BITMAP, parentSizeBytes: size })))).toEqual([
    { offset: 0, length: size, kind: 'clean' },
  ]);
  expect(disk.asked.length).toBe(512);
});
