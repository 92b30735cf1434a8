import { execFileSync } from 'node:child_process';
import {
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Aborted } from '../../../src/mover/errors.ts';
import { CLUSTER_BYTES, L2_SPAN_BYTES, TABLE_ENTRIES } from '../../../src/mover/qcow2/layout.ts';
import { type Cursor, formatCursor, parseCursor } from '../../../src/mover/repository/cursor.ts';
import { sha256 } from '../../../src/mover/repository/manifest-file.ts';
import { type Verification, type VerifyOptions, verifyBackup } from '../../../src/mover/repository/verify.ts';
import { backup, failureOf, jobFor, temporaryDirectory } from '../support/backup-rig.ts';
import { serveFake } from '../support/fake-nbd-server.ts';
import { StoredChain } from '../support/stored-chain.ts';

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

const plain: VerifyOptions = {
  wholeChain: true,
  meter: () => {},
  pace: async () => {},
  partBytes: 256 * 1024,
  cursor: null,
  isTimeUp: () => false,
};

async function run(
  id: string,
  { directory = at(id), ...options }: Partial<VerifyOptions> & { readonly directory?: string } = {},
): Promise<Verification> {
  return await verifyBackup(directory, { ...plain, ...options }, new AbortController().signal);
}

async function verify(id: string, wholeChain = true): Promise<string[]> {
  const { faults } = await run(id, { wholeChain });
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
    expect(found).toEqual([
      `vda ${image}: bytes 196608 to 262143 are not what was written (bytes 131072 to 196607 of the disk)`,
    ]);
  });

  test('neighbours as one range', async () => {
    const change = (): void => [1, 2, 4].forEach((block) => flip(image, 65536 * block, 1));
    expect(await withChanged(image, change, () => verify('b0'))).toEqual([
      `vda ${image}: bytes 65536 to 196607 are not what was written (bytes 0 to 131071 of the disk)`,
      `vda ${image}: bytes 262144 to 327679 are not what was written (bytes 196608 to 262143 of the disk)`,
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

describe('what someone put in the place of a file is told, and neither read to its end nor waited for', () => {
  test.each<[string, string, (path: string) => void]>([
    ['a huge file', 'domain.xml', (path) => truncateSync(path, 1024 ** 4)],
    ['a pipe that nobody writes to', 'domain.xml', pipe],
    ['a pipe for a manifest', 'manifest.json', pipe],
    ['a pipe for a sum', 'manifest.sha256', pipe],
    ['a pipe for an image', 'vda.qcow2', pipe],
    ['a pipe for sums', 'vda.sums', pipe],
    ['a device without an end', 'domain.xml', (path) => replace(path, () => symlinkSync('/dev/zero', path))],
  ])(
    '%s',
    async (_, file, put) => {
      const path = at('b1', file);
      const before = readFileSync(path);
      try {
        put(path);
        const [first] = await verify('b1');
        expect(first).toContain(file);
      } finally {
        replace(path, () => writeFileSync(path, before));
      }
    },
    5_000,
  );

  function replace(path: string, make: () => void): void {
    rmSync(path, { force: true });
    make();
  }
  function pipe(path: string): void {
    replace(path, () => execFileSync('mkfifo', [path]));
  }
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

describe('what a damaged part means to the guest', () => {
  const chain = new StoredChain(join(rig.path, 'guest'));
  const size = 2 * L2_SPAN_BYTES + 3 * CLUSTER_BYTES + 512;
  const lastCluster = 2 * TABLE_ENTRIES + 3;
  beforeAll(async () => {
    // header | 7, 8, 20 | L2 | TABLE_ENTRIES + 1, lastCluster are in other windows: | data | L2 | data | L2 | L1 | refcounts
    await chain.add(size, new Map([7, 8, 20, TABLE_ENTRIES + 1, lastCluster].map((cluster) => [cluster, 5])));
  });

  test.each<[string, number[], string]>([
    [
      'neighbours in the file that are none in the disk',
      [2, 3],
      '(bytes 524288 to 589823, bytes 1310720 to 1376255 of the disk)',
    ],
    ['an L2 table: all that it maps', [4], `(bytes 0 to ${L2_SPAN_BYTES - 1} of the disk)`],
    [
      'the last, which ends with the disk',
      [7],
      `(bytes ${lastCluster * CLUSTER_BYTES} to ${size - 1} of the disk)`,
    ],
    ['the L1 table: all of the disk', [9], `(bytes 0 to ${size - 1} of the disk)`],
    ['the header: all of the disk', [0], `(bytes 0 to ${size - 1} of the disk)`],
    ['refcounts: none of it', [10], '(no bytes of the disk)'],
  ])('%s', async (_, blocks, words) => {
    const image = chain.image(0);
    const { faults } = await withChanged(
      image,
      () => blocks.forEach((block) => flip(image, block * CLUSTER_BYTES + 3, 0)),
      () => run('', { directory: chain.tip }),
    );
    const found = faults.filter(
      ({ range }) =>
        range?.start === blocks[0]! * CLUSTER_BYTES && range.end === (blocks.at(-1)! + 1) * CLUSTER_BYTES,
    );
    expect(found.map(({ message }) => message.slice(message.indexOf('(')))).toEqual([words]);
  });

  test('an image with right sums that holds less than its manifest tells', async () => {
    const manifest = join(chain.tip, 'manifest.json');
    const lie = (): void => {
      const content = readFileSync(manifest, 'utf8').replace(/"dataBytes": \d+/, '"dataBytes": 65536');
      writeFileSync(manifest, content);
      writeFileSync(join(chain.tip, 'manifest.sha256'), `${sha256(content)}  manifest.json\n`);
    };
    const sum = readFileSync(join(chain.tip, 'manifest.sha256'));
    const { faults } = await withChanged(manifest, lie, () => run('', { directory: chain.tip }));
    writeFileSync(join(chain.tip, 'manifest.sha256'), sum);
    expect(faults.map(({ detail }) => detail)).toEqual([
      'its tables tell of 327680 bytes of data and 0 of zeros, the manifest of 65536 and 0',
    ]);
    expect((await run('', { directory: chain.tip })).faults).toEqual([]);
  });
});

describe('in slices', () => {
  test('however it is sliced, each block is read once in all, and the same faults are found', async () => {
    const image = at('b0', 'vda.qcow2');
    const whole = await run('b1');
    expect(whole.bytesRead).toBe(statSync(image).size + statSync(at('b1', 'vda.qcow2')).size);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        async (blocks, every) => {
          const found = await withChanged(
            image,
            () => flip(image, 65536 * 5, 2),
            async () => {
              const ranges: unknown[] = [];
              let read = 0;
              let slices = 0;
              for (let cursor: Cursor | null = null, more = true; more; slices++) {
                let asked = 0;
                const isTimeUp = (): boolean => ++asked >= every;
                const slice: Verification = await run('b1', { partBytes: blocks * 65536, cursor, isTimeUp });
                read += slice.bytesRead;
                ranges.push(...slice.faults.map(({ range }) => range));
                // As it goes out to the caller, and comes back.
                cursor = slice.cursor && parseCursor(formatCursor(slice.cursor));
                more = cursor !== null;
              }
              return { read, slices, ranges };
            },
          );
          expect(found).toMatchObject({
            read: whole.bytesRead,
            ranges: [{ start: 65536 * 5, end: 65536 * 6 }],
          });
          expect(found.slices).toBeGreaterThan(whole.bytesRead / 65536 / blocks / every / 2);
        },
      ),
      { numRuns: 15 },
    );
  }, 60_000);

  test('the last progress tells where to go on', async () => {
    const told: unknown[] = [];
    const { cursor } = await run('b1', {
      meter: (progress) => told.push(progress.cursor),
      isTimeUp: () => told.length === 2,
    });
    expect([cursor, told]).toEqual([
      { id: 'b0', volume: 'vda', offset: 524_288 },
      ['b0/vda/262144', 'b0/vda/524288'],
    ]);
  });

  test('an abort ends it at once', async () => {
    const abort = new AbortController();
    abort.abort(new Aborted('in a test'));
    expect(await failureOf(verifyBackup(at('b1'), plain, abort.signal))).toMatchObject({
      reason: 'Aborted',
      exitCode: 5,
    });
  });
});
