import { openSync, closeSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { mergeDamage, parseScrubCursor, type ScrubResult } from '../../../src/domain/upkeep/scrub.ts';
import { paced } from '../../../src/mover/pace.ts';
import { scrub } from '../../../src/mover/repository/scrub.ts';
import { temporaryDirectory } from '../support/backup-rig.ts';
import { StoredChain } from '../support/stored-chain.ts';

const AT = '2026-11-23T18:00:00Z';
const quiet = new AbortController().signal;
const MiB = 1024 * 1024;

let root: string;
beforeEach(() => {
  const directory = temporaryDirectory();
  root = directory.path;
  onTestFinished(() => directory[Symbol.dispose]());
});

async function chain(vm: string, length: number): Promise<StoredChain> {
  const made = new StoredChain(join(root, vm));
  for (let position = 0; position < length; position++) {
    const clusters = Array.from({ length: 8 }, (_, index) => [position + index, position + 1] as const);
    await made.add(2 * MiB, new Map(clusters));
  }
  return made;
}

const slice = (resume?: string, share = 1) =>
  scrub(
    root,
    {
      cursor: resume === undefined ? null : parseScrubCursor(resume),
      share,
      isTimeUp: () => false,
      meter: () => {},
      pace: paced(undefined),
      partBytes: 65_536,
    },
    quiet,
  );

/** Slice after slice, to the end. */
async function pass(share: number): Promise<readonly ScrubResult[]> {
  const slices = [await slice(undefined, share)];
  while (slices.at(-1)!.cursor !== null && slices.length < 1000)
    slices.push(await slice(slices.at(-1)!.cursor!, share));
  return slices;
}

function flip(path: string, at: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  writeSync(fd, Buffer.from([byte[0]! ^ 1]), 0, 1, at);
  closeSync(fd);
}

test('slices of any size read every byte once, and never more than one part too much', async () => {
  await chain('c/a/db-1', 3);
  await chain('c/a-b/db-1', 2);
  await chain('other/a/web-1', 2);
  const whole = await slice();
  expect(whole).toMatchObject({ cursor: null, backups: 7, damaged: [] });
  expect(whole.bytesRead).toBe(whole.bytesLeft);
  for (const share of [0.5, 0.2, 0.05]) {
    const slices = await pass(share);
    expect(slices.reduce((sum, { bytesRead }) => sum + bytesRead, 0)).toBe(whole.bytesRead);
    for (const { bytesRead, bytesLeft } of slices)
      expect(bytesRead).toBeLessThanOrEqual(bytesLeft * share + 65_536);
  }
});

test('a flipped bit is found by the slice that reads it, told once, and forgotten when it is mended', async () => {
  const { directories } = await chain('c/shop/db-1', 3);
  const image = join(directories[1]!, 'vda.qcow2');
  flip(image, 3 * 65_536 + 7);
  const slices = await pass(0.2);
  const found = slices.flatMap(({ damaged }) => damaged);
  expect(found).toEqual([
    {
      path: 'c/shop/db-1/b001',
      chain: 'chain',
      volume: 'vda',
      reason: 'BackupDataDamaged',
      message: expect.stringContaining('bytes 196608 to 262143'),
    },
  ]);
  let known = mergeDamage([], undefined, slices[0]!, AT);
  for (const [index, each] of slices.slice(1).entries())
    known = mergeDamage(known, slices[index]!.cursor!, each, AT);
  expect(known.map(({ path, foundAt }) => [path, foundAt])).toEqual([['c/shop/db-1/b001', AT]]);
  flip(image, 3 * 65_536 + 7);
  expect(mergeDamage(known, undefined, await slice(), AT)).toEqual([]);
});

test('a manifest that cannot be read is damage of a chain that nobody knows', async () => {
  const { directories } = await chain('c/shop/db-1', 1);
  writeFileSync(join(directories[0]!, 'manifest.json'), '{}');
  expect((await slice()).damaged).toMatchObject([{ path: 'c/shop/db-1/b000', chain: null, volume: null }]);
});

test('a backup that stands on one that is gone is damaged', async () => {
  const { directories } = await chain('c/shop/db-1', 2);
  rmSync(directories[0]!, { recursive: true });
  expect((await slice()).damaged).toMatchObject([{ path: 'c/shop/db-1/b001', reason: 'BackupDataMissing' }]);
});

test('goes on behind a backup that was removed in the meantime', async () => {
  const { directories } = await chain('c/shop/db-1', 1);
  await chain('c/shop/web-1', 1);
  const first = await slice(undefined, 0.3);
  expect(first.cursor).toMatch(/^c\/shop\/db-1\/b000#vda#/);
  rmSync(directories[0]!, { recursive: true });
  expect(await slice(first.cursor!)).toMatchObject({ cursor: null, backups: 1, damaged: [] });
});

test('however many are damaged, each is named by the slices of a pass, and each slice stays small', async () => {
  const { directories } = await chain('c/shop/db-1', 20);
  for (const directory of directories.slice(1)) flip(join(directory, 'vda.qcow2'), 65_536 + 1);
  const slices = await pass(1);
  let known: ReturnType<typeof mergeDamage> = [];
  for (const [index, each] of slices.entries()) {
    expect(JSON.stringify(each).length).toBeLessThan(4096);
    known = mergeDamage(known, slices[index - 1]?.cursor ?? undefined, each, AT);
  }
  expect(known.map(({ path }) => path)).toEqual(
    directories.slice(1).map((directory) => directory.slice(root.length + 1)),
  );
});
