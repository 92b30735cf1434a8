import { existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RestoreResult } from '../../src/domain/mover-report.ts';
import { CLUSTER_BYTES, L2_SPAN_BYTES, TABLE_ENTRIES } from '../../src/mover/qcow2/layout.ts';
import { StoredChain } from '../mover/support/stored-chain.ts';
import { type Finished, finish, lastEvent, MOVER, Workshop } from './mover-rig.ts';

/** Restores to files, by the mover's own reader, with qemu-img as the judge. */
const workshop = new Workshop();
afterAll(() => workshop[Symbol.asyncDispose]());

const MiB = 1024 * 1024;
let count = 0;
const fresh = (name: string): string => workshop.at(`${name}-${count++}`);

async function restore(from: string, to: string, ...more: string[]): Promise<Finished> {
  return await workshop.mover('restore', '--from', from, '--volume', 'vda', '--to', to, '--json', ...more);
}

/** The judge: reads the chain by itself. Throws where one byte differs. */
function compare(image: string, raw: string): void {
  workshop.tool('qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', image, raw);
}

/** Each cluster of a range, filled with a byte that depends on where and when. */
function clusters(first: number, count: number, salt: number): Map<number, number> {
  return new Map(Array.from({ length: count }, (_, i) => [first + i, ((first + i + salt * 37) % 255) + 1]));
}

describe('a chain of a hundred, on a disk that grows', () => {
  const chain = new StoredChain(workshop.at('hundred'));
  /** What a disk of so many backups is made of: cluster → position of the backup it comes from. */
  const owners: Map<number, number>[] = [];

  beforeAll(async () => {
    let owner = new Map<number, number>();
    for (let n = 0; n < 100; n++) {
      // Old and new ends of the disk, both sides of a window, some zeros over old data, most of it written again and again.
      const size = L2_SPAN_BYTES + 50 * CLUSTER_BYTES + (n < 60 ? 512 : n * CLUSTER_BYTES);
      const changes =
        n === 0
          ? new Map([...clusters(0, 700, 0), ...clusters(TABLE_ENTRIES - 20, 60, 0)])
          : new Map([
              ...clusters((n * 13) % 650, 30, n),
              ...clusters(TABLE_ENTRIES - 2 + (n % 5), 3, n),
              [(n * 29) % 700, 0] as const,
            ]);
      // Where a disk grew, the copy stores the cluster that was the last one.
      if (n === 60) changes.set(TABLE_ENTRIES + 50, 0);
      await chain.add(size, changes);
      owner = new Map([...owner, ...[...changes.keys()].map((cluster) => [cluster, n] as const)]);
      owners.push(owner);
    }
  });

  test.each([0, 37, 59, 60, 99])('point %d is what qemu-img finds there', async (n) => {
    const to = fresh('raw');
    const done = await restore(chain.directories[n]!, to);
    expect([done.code, lastEvent(done)]).toMatchObject([0, { chainLength: n + 1 }]);
    compare(chain.image(n), to);
    const [size, used] = [statSync(to).size, statSync(to).blocks * 512];
    expect(size).toBe(
      Number(JSON.parse(workshop.tool('qemu-img', 'info', '--output=json', chain.image(n)))['virtual-size']),
    );
    // Sparse: only what is data takes room.
    expect(used).toBeLessThan(900 * CLUSTER_BYTES);
  });

  test("each block is read once, and only those that are live: by its own count, and by the kernel's", async () => {
    const to = fresh('raw');
    const script = '"$@"; cat /proc/self/io';
    const args = ['restore', '--from', chain.tip, '--volume', 'vda', '--to', to, '--json'];
    const done = await finish(workshop.start('sh', ['-c', script, 'sh', ...MOVER, ...args], 'pipe'));
    const result = RestoreResult.parse(
      JSON.parse(done.stdout.split('\n').find((line) => line.includes('"result"'))!),
    );
    const live = [...owners[99]!].filter(([cluster, n]) => isData(n, cluster)).length;
    expect(result.bytesWritten).toBe(live * CLUSTER_BYTES);
    // Of each image: header, L1, and the L2 tables of two windows at most.
    expect(result.bytesRead).toBeGreaterThanOrEqual((live + 2 * 100) * CLUSTER_BYTES);
    expect(result.bytesRead).toBeLessThanOrEqual((live + 4 * 100) * CLUSTER_BYTES);
    // Since it began, the shell and what it ran have read: the images, their headers, sums and manifests, Node and the program.
    const rchar = Number(/rchar: (\d+)/.exec(done.stdout)?.[1]);
    expect(rchar).toBeLessThan(result.bytesRead + 16 * MiB);
  });

  function isData(n: number, cluster: number): boolean {
    if (n === 0) return true;
    if (n === 60 && cluster === TABLE_ENTRIES + 50) return false;
    return cluster !== (n * 29) % 700;
  }
});

describe('any size of disk', () => {
  test.each<[string, number, number[]]>([
    ['one sector', 512, [0]],
    ['a cluster less a sector', CLUSTER_BYTES - 512, [0]],
    ['a cluster and a sector', CLUSTER_BYTES + 512, [1]],
    ['nothing in it', 10 * MiB, []],
    ['one L2 table and a sector', L2_SPAN_BYTES + 512, [0, TABLE_ENTRIES - 1, TABLE_ENTRIES]],
    ['8 TiB with its ends', 8 * 2 ** 40, [0, 8 * 2 ** 24 - 1]],
  ])('%s', async (_, size, data) => {
    const chain = new StoredChain(fresh('sizes'));
    await chain.add(size, new Map(data.map((cluster) => [cluster, (cluster % 255) + 1])));
    const to = fresh('raw');
    expect(await restore(chain.tip, to)).toMatchObject({ code: 0 });
    compare(chain.image(0), to);
    expect(statSync(to).size).toBe(size);
  });
});

describe('a target that is there', () => {
  const chain = new StoredChain(workshop.at('there'));
  beforeAll(async () => {
    await chain.add(4 * MiB + 512, new Map([...clusters(3, 20, 0), ...clusters(64, 1, 0)]));
    await chain.add(4 * MiB + 512, new Map([[5, 0], ...clusters(6, 1, 9)]));
  });

  test.each([1 * MiB, 9 * MiB])(
    'a file of %d bytes loses all it held with --overwrite, and keeps its inode and mode',
    async (bytes) => {
      const to = fresh('old');
      writeFileSync(to, Buffer.alloc(bytes, 0xee), { mode: 0o660 });
      const before = statSync(to);
      expect(await restore(chain.tip, to, '--overwrite')).toMatchObject({ code: 0 });
      compare(chain.image(1), to);
      expect(statSync(to)).toMatchObject({ ino: before.ino, mode: before.mode, uid: before.uid });
      expect(existsSync(`${to}.tidemark-partial`)).toBe(false);
    },
  );

  test("what a killed restore left behind is in nobody's way", async () => {
    const to = fresh('raw');
    writeFileSync(`${to}.tidemark-partial`, Buffer.alloc(6 * MiB, 1));
    expect(await restore(chain.tip, to)).toMatchObject({ code: 0 });
    compare(chain.image(1), to);
    expect(existsSync(`${to}.tidemark-partial`)).toBe(false);
  });

  test.each([
    ['a directory', ''],
    ['a character device', '/dev/null'],
  ])('%s is no target', async (_, path) => {
    const done = await restore(chain.tip, path || workshop.path, '--overwrite');
    expect([done.code, lastEvent(done)['reason']]).toEqual([4, 'TargetUnsuitable']);
  });

  test('a directory that is not there', async () => {
    const done = await restore(chain.tip, workshop.at('no', 'such', 'place'));
    expect([done.code, lastEvent(done)['reason']]).toEqual([4, 'TargetMissing']);
  });
});

describe('what is wrong in the chain ends the restore with exit 1, and nothing is left', () => {
  let chain: StoredChain;
  beforeAll(async () => {
    chain = new StoredChain(workshop.at('wrong'));
    await chain.add(4 * MiB, clusters(0, 64, 0));
    await chain.add(4 * MiB, clusters(10, 4, 1));
  });

  /** Damages a copy of the chain. */
  function copyOf(): string {
    const copy = fresh('copy');
    workshop.tool('cp', '-a', workshop.at('wrong'), copy);
    return copy;
  }

  function flip(path: string, at: number): void {
    const bytes = readFileSync(path);
    bytes[at] = bytes[at]! ^ 0x10;
    writeFileSync(path, bytes);
  }

  const C = CLUSTER_BYTES;
  // Image b000: header, 64 data clusters, L2, L1, refcount block, refcount table.
  test.each<[string, (root: string) => void, RegExp]>([
    [
      'data of the parent',
      (root) => flip(join(root, 'b000/vda.qcow2'), 20 * C + 7),
      /b000\/vda.qcow2: bytes 1310720 to 1376255 are not/,
    ],
    [
      'data of the tip',
      (root) => flip(join(root, 'b001/vda.qcow2'), 2 * C),
      /b001\/vda.qcow2: bytes 131072 to 196607 are not/,
    ],
    [
      'an L2 table',
      (root) => flip(join(root, 'b000/vda.qcow2'), 65 * C + 9),
      /b000\/vda.qcow2: bytes 4259840 to 4325375 are not/,
    ],
    [
      'an L1 table',
      (root) => flip(join(root, 'b000/vda.qcow2'), 66 * C + 3),
      /b000\/vda.qcow2: bytes 4325376 to 4390911 are not/,
    ],
    [
      'the header',
      (root) => flip(join(root, 'b000/vda.qcow2'), 600),
      /b000\/vda.qcow2: bytes 0 to 65535 are not/,
    ],
    [
      'the sums',
      (root) => flip(join(root, 'b000/vda.sums'), 50),
      /b000\/vda.sums: does not match the manifest/,
    ],
    [
      'the manifest',
      (root) => flip(join(root, 'b000/manifest.json'), 50),
      /b000\/manifest.json: does not match/,
    ],
    [
      'a parent that is shorter',
      (root) => truncateSync(join(root, 'b000/vda.qcow2'), 30 * C),
      /b000\/vda.qcow2: has 1966080 bytes/,
    ],
    [
      'a parent that is missing',
      (root) => workshop.tool('rm', '-r', join(root, 'b000')),
      /b000\/manifest.json: is missing/,
    ],
    [
      'a parent of another chain',
      (root) => workshop.tool('cp', '-rT', workshop.at('there', 'b000'), join(root, 'b000')),
      /b000: is not the backup that its child was made from/,
    ],
  ])('%s', async (name, damage, message) => {
    const root = copyOf();
    damage(root);
    const to = fresh('raw');
    const done = await restore(join(root, 'b001'), to);
    expect([done.code, lastEvent(done)]).toMatchObject([
      1,
      { reason: name.endsWith('missing') ? 'BackupDataMissing' : 'BackupDataDamaged', volume: 'vda' },
    ]);
    expect(lastEvent(done)['message']).toMatch(message);
    expect(readdirSync(workshop.path).filter((entry) => workshop.at(entry).startsWith(to))).toEqual([]);
  });

  test('damage in what a later backup has replaced hurts nobody: what is not needed is not read', async () => {
    const root = copyOf();
    flip(join(root, 'b000/vda.qcow2'), 12 * C);
    const to = fresh('raw');
    expect(await restore(join(root, 'b001'), to)).toMatchObject({ code: 0 });
    compare(chain.image(1), to);
  });
});

describe('stopped and limited', () => {
  const chain = new StoredChain(workshop.at('limited'));
  beforeAll(async () => {
    await chain.add(64 * MiB, clusters(0, 1024, 0));
  });

  test('SIGTERM in the middle: exit 5, and no file', async () => {
    const to = fresh('raw');
    const args = ['restore', '--from', chain.tip, '--volume', 'vda', '--to', to, '--limit', '8Mi', '--json'];
    const child = workshop.start(MOVER[0], [MOVER[1], ...args], 'pipe');
    const finished = finish(child);
    const draft = `${to}.tidemark-partial`;
    for (let i = 0; !existsSync(draft) || statSync(draft).blocks * 512 < MiB; i++) {
      if (i > 1000) throw new Error('nothing is written');
      await sleep(20);
    }
    child.kill('SIGTERM');
    const done = await finished;
    expect([done.code, lastEvent(done)['reason'], existsSync(draft), existsSync(to)]).toEqual([
      5,
      'Aborted',
      false,
      false,
    ]);
  });

  test('--limit holds, and progress is told until all is there', async () => {
    const to = fresh('raw');
    const startedAt = performance.now();
    const done = await restore(chain.tip, to, '--limit', '24Mi');
    expect(done.code).toBe(0);
    expect(performance.now() - startedAt).toBeGreaterThan(((64 - 2.4) / 24) * 1000);
    const events = done.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(events.at(-2)).toMatchObject({
      event: 'progress',
      phase: 'syncing',
      bytesDone: 64 * MiB,
      bytesTotal: 64 * MiB,
    });
    expect(events.filter(({ phase }) => phase === 'restoring').length).toBeGreaterThan(3);
    compare(chain.image(0), to);
  });
});

test.each([
  ['a full disk', 'size=8m', 'TargetFull'],
  ['a read-only mount', 'ro', 'TargetReadOnly'],
])('%s is a typed error, and nothing is left there', async (_, options, reason) => {
  const chain = new StoredChain(fresh('full'));
  await chain.add(16 * MiB, clusters(0, 256, 0));
  const root = fresh('tmpfs');
  const script = `mkdir "$1" && mount -t tmpfs -o ${options} tmpfs "$1" && { "$2" "$3" restore --from "$4" --volume vda --to "$1/disk.raw" --json; code=$?; find "$1" -mindepth 1 >&2; exit $code; }`;
  const args = ['--map-root-user', '--mount', 'sh', '-c', script, 'sh', root, ...MOVER, chain.tip];
  const done = await finish(workshop.start('unshare', args, 'pipe'));
  expect([done.code, lastEvent(done)['reason']]).toEqual([4, reason]);
  expect(lastEvent(done)['message']).toContain(`${root}/disk.raw`);
  expect(done.stderr.split('\n').filter((line) => line.startsWith(root))).toEqual([]);
});

test('memory does not grow with the disk', async () => {
  const chain = new StoredChain(fresh('large'));
  await chain.add(768 * MiB, clusters(0, 12_288, 0));
  const args = ['restore', '--from', chain.tip, '--volume', 'vda', '--to', fresh('raw')];
  const child = workshop.start(MOVER[0], [MOVER[1], ...args], 'pipe');
  let peak = 0;
  const timer = setInterval(() => {
    // The kernel's own high-water mark: the last look before the end has all but the last moment in it.
    const status = existsSync(`/proc/${child.pid}/status`)
      ? readFileSync(`/proc/${child.pid}/status`, 'utf8')
      : '';
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024);
  }, 5);
  const done = await finish(child);
  clearInterval(timer);
  expect(done.code).toBe(0);
  expect(peak).toBeGreaterThan(30 * MiB);
  expect(peak).toBeLessThan(192 * MiB);
});
