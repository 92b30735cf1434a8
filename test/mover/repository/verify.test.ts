import { readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyBackup } from '../../../src/mover/repository/verify.ts';
import { backup, jobFor, temporaryDirectory } from '../support/backup-rig.ts';
import { serveFake } from '../support/fake-nbd-server.ts';

const SIZE = 1024 * 1024;
const rig = temporaryDirectory();
const at = (id: string, file = ''): string => join(rig.path, 'c/ns/vm-1', id, file);

beforeAll(async () => {
  const content = Buffer.alloc(SIZE, 7);
  content.fill(0, 200_000, 400_000);
  const contexts = {
    'qemu:dirty-bitmap:b': [
      { offset: 0, length: SIZE / 2, flags: 1 },
      { offset: SIZE / 2, length: SIZE / 2, flags: 0 },
    ],
  };
  await using server = await serveFake({ content, contexts });
  const source = server.address.uri;
  const files = [{ name: 'domain.xml', content: '<domain/>' }];
  await backup(jobFor(rig.path, 'b0', [{ name: 'vda', type: 'Full', source }], { files }));
  await backup(
    jobFor(rig.path, 'b1', [{ name: 'vda', type: 'Incremental', source, bitmap: 'b', parent: at('b0') }], {
      files,
    }),
  );
});
afterAll(() => rig[Symbol.dispose]());

async function verify(id: string, wholeChain = true): Promise<string[]> {
  const options = { wholeChain, meter: () => {} };
  const { faults } = await verifyBackup(at(id), options, new AbortController().signal);
  return faults.map(({ volume, message }) => `${volume} ${message}`);
}

/** Changes a file, looks, and puts it back. */
async function withChanged<T>(path: string, change: () => void, look: () => Promise<T>): Promise<T> {
  const before = readFileSync(path);
  change();
  try {
    return await look();
  } finally {
    writeFileSync(path, before);
  }
}

function flip(path: string, byte: number, bit: number): void {
  const bytes = readFileSync(path);
  bytes[byte] = bytes[byte]! ^ (1 << bit);
  writeFileSync(path, bytes);
}

test('a good chain has no faults', async () => {
  expect(await verify('b1')).toEqual([]);
});

test('a flipped bit is found, wherever it is: in data, tables, header, sums, manifest, files', async () => {
  const files = ['b0', 'b1'].flatMap((id) => readdirSync(at(id)).map((name) => at(id, name)));
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...files), fc.nat(), fc.nat(7), async (path, somewhere, bit) => {
      const byte = somewhere % statSync(path).size;
      const found = await withChanged(
        path,
        () => flip(path, byte, bit),
        () => verify('b1'),
      );
      expect(found.length).toBeGreaterThan(0);
    }),
    { numRuns: 150 },
  );
}, 60_000);

describe('a fault names volume, file and range', () => {
  const image = at('b0', 'vda.qcow2');
  test('one block', async () => {
    const found = await withChanged(
      image,
      () => flip(image, 65536 * 3 + 5, 0),
      () => verify('b0'),
    );
    expect(found).toEqual([`vda ${image}: bytes 196608 to 262143 are not what was written`]);
  });

  test('neighbours as one range', async () => {
    const change = (): void => [1, 2, 4].forEach((block) => flip(image, 65536 * block, 1));
    expect(await withChanged(image, change, () => verify('b0'))).toEqual([
      `vda ${image}: bytes 65536 to 196607 are not what was written`,
      `vda ${image}: bytes 262144 to 327679 are not what was written`,
    ]);
  });

  test('a file that was cut short', async () => {
    const { size } = statSync(image);
    const found = await withChanged(
      image,
      () => truncateSync(image, size - 100_000),
      () => verify('b0'),
    );
    expect(found[0]).toBe(
      `vda ${image}: has ${size - 100_000} bytes, where ${size} were written: bytes ${size - 100_000} to ${size - 1} are missing`,
    );
  });

  test('a file that is missing', async () => {
    const path = at('b0', 'domain.xml');
    expect(
      await withChanged(
        path,
        () => rmSync(path),
        () => verify('b0'),
      ),
    ).toEqual([`null ${path}: is missing`]);
  });
});

test('without the chain, only the parent itself is looked at, not its data', async () => {
  const image = at('b0', 'vda.qcow2');
  const damage = (): void => flip(image, 65536 * 2, 1);
  expect(await withChanged(image, damage, () => verify('b1', false))).toEqual([]);
  expect(await withChanged(image, damage, () => verify('b1', true))).toHaveLength(1);
  expect(
    await withChanged(
      image,
      () => truncateSync(image, 10),
      () => verify('b1', false),
    ),
  ).toHaveLength(1);
});

test('a directory that holds nothing is a fault, not an exception', async () => {
  expect(await verify('nothing')).toEqual([`null ${at('nothing', 'manifest.json')}: is missing`]);
});
