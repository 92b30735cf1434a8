import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { VerifyResult } from '../../src/domain/mover-report.ts';
import { CLUSTER_BYTES } from '../../src/mover/qcow2/layout.ts';
import { StoredChain } from '../mover/support/stored-chain.ts';
import { type Finished, finish, lastEvent, MOVER, Workshop } from './mover-rig.ts';

/** `verify` as a process: its limits, slices and priority, and a disk that really fails. */
const workshop = new Workshop();
const undo: (() => void)[] = [];
afterAll(async () => {
  for (const each of undo.toReversed()) each();
  await workshop[Symbol.asyncDispose]();
});

const MiB = 1024 * 1024;

async function addTwo(chain: StoredChain, clusters: number): Promise<void> {
  const all = Array.from({ length: clusters }, (_, i) => [i, (i % 255) + 1] as const);
  await chain.add(clusters * CLUSTER_BYTES, new Map(all));
  await chain.add(clusters * CLUSTER_BYTES, new Map(all.slice(0, 16)));
}

const chain = new StoredChain(workshop.at('chain'));
beforeAll(async () => await addTwo(chain, 512));

async function verify(...more: string[]): Promise<Finished> {
  return await workshop.mover('verify', chain.tip, '--chain', '--json', ...more);
}

const resultOf = (done: Finished): VerifyResult => VerifyResult.parse(lastEvent(done));

test('in slices of a second, at a limit, it comes to the end: each goes on where the last one stopped', async () => {
  const whole = resultOf(await verify());
  expect(whole).toMatchObject({ good: true, cursor: null, backups: 2 });
  let read = 0;
  let slices = 0;
  for (let resume: string[] = [], more = true; more; slices++) {
    const result = resultOf(await verify('--for', '1s', '--limit', '10Mi', ...resume));
    read += result.bytesRead;
    more = result.cursor !== null;
    resume = ['--resume', result.cursor ?? ''];
  }
  expect(read).toBe(whole.bytesRead);
  expect(slices).toBeGreaterThan(2);
});

test('--limit holds', async () => {
  const startedAt = performance.now();
  const { bytesRead } = resultOf(await verify('--limit', '16Mi'));
  expect(performance.now() - startedAt).toBeGreaterThan(((bytesRead / MiB - 1) / 16) * 1000);
});

describe('its priority', () => {
  test.each([
    ['the lowest, if none is given', [], 19],
    ['as it was, with --nice 0', ['--nice', '0'], 0],
    ['as it is told', ['--nice', '7'], 7],
  ])('%s', async (_, more, expected) => {
    const args = ['verify', chain.tip, '--chain', '--json', '--limit', '8Mi', ...more];
    const child = workshop.start(MOVER[0], [MOVER[1], ...args], 'pipe');
    await new Promise<void>((resolve) => child.stdout?.once('data', () => resolve()));
    const stat = readFileSync(`/proc/${child.pid}/stat`, 'latin1');
    const nice = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
    child.kill('SIGTERM');
    expect([nice, (await finish(child)).code]).toEqual([expected, 5]);
  });
});

test('SIGTERM: exit 5, and what was told last is where to go on', async () => {
  const args = ['verify', chain.tip, '--chain', '--json', '--limit', '8Mi'];
  const child = workshop.start(MOVER[0], [MOVER[1], ...args], 'pipe');
  const finished = finish(child);
  let told = 0;
  child.stdout?.on('data', () => {
    if (++told === 3) child.kill('SIGTERM');
  });
  const done = await finished;
  expect([done.code, lastEvent(done)['reason']]).toEqual([5, 'Aborted']);
  const progress = done.stdout.split('\n').findLast((line) => line.includes('"progress"'));
  const { cursor, bytesRead } = JSON.parse(progress!);
  const rest = resultOf(await verify('--resume', cursor));
  expect(bytesRead + rest.bytesRead).toBe(resultOf(await verify()).bytesRead);
});

test('damage: volume, file, the range in it, and what that is of the disk', async () => {
  const image = chain.image(0);
  const good = readFileSync(image);
  const bad = Buffer.from(good);
  bad[10 * CLUSTER_BYTES + 77]! ^= 4;
  writeFileSync(image, bad);
  const done = await verify();
  writeFileSync(image, good);
  expect([done.code, resultOf(done)]).toMatchObject([
    1,
    {
      good: false,
      faults: [
        {
          reason: 'BackupDataDamaged',
          volume: 'vda',
          path: image,
          range: { start: 10 * CLUSTER_BYTES, end: 11 * CLUSTER_BYTES },
          guestRanges: [{ start: 9 * CLUSTER_BYTES, end: 10 * CLUSTER_BYTES }],
        },
      ],
    },
  ]);
});

test('a disk that fails to read: what can be read is proven, the rest is named; and a restore says why it stops', async () => {
  const backing = workshop.at('failing');
  const root = workshop.at('mounted');
  workshop.tool('truncate', '--size', '80M', backing);
  workshop.tool('mkfs.ext4', '-q', '-O', '^has_journal,^metadata_csum', backing);
  workshop.tool('mkdir', root);
  const mount = (): string => workshop.tool('mount', '-o', 'loop,ro', backing, root);
  workshop.tool('mount', '-o', 'loop', backing, root);
  const failing = new StoredChain(root);
  await addTwo(failing, 800);
  // A mount without anything in the cache; then the end of the device is gone.
  workshop.tool('umount', root);
  mount();
  undo.push(() => workshop.tool('umount', root));
  truncateSync(backing, 40 * MiB);
  const done = await workshop.mover('verify', failing.tip, '--chain', '--json');
  const result = resultOf(done);
  const unread = result.faults.filter(({ message }) => message.includes('cannot be read'));
  expect(done.code).toBe(1);
  expect(unread.length).toBeGreaterThan(0);
  expect(result.bytesRead).toBeGreaterThan(10 * MiB);
  expect(result.faults.length).toBeLessThan(20);

  const to = workshop.at('failing.raw');
  const restored = await workshop.mover(
    'restore',
    '--from',
    failing.tip,
    '--volume',
    'vda',
    '--to',
    to,
    '--json',
  );
  expect([restored.code, lastEvent(restored)]).toMatchObject([
    1,
    { reason: 'BackupDataDamaged', message: expect.stringContaining('EIO') },
  ]);
});

test.each<[string, string[]]>([
  ['a priority that is none', ['--nice', '20']],
  ['a time that is none', ['--for', 'ever']],
  ['a place that is none', ['--resume', 'here']],
  ['a limit that is none', ['--limit', '-1']],
])('%s: exit 2', async (_, more) => {
  expect(await verify(...more)).toMatchObject({ code: 2 });
});
