import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BackupJobInput } from '../../src/domain/mover-job.ts';
import { jobFor } from '../mover/support/backup-rig.ts';
import { finish, lastEvent, MOVER, type Served, same, Workshop } from './mover-rig.ts';

/** The mover as the agent runs it: a child with a job on standard input, killed and bereaved in every way. */
const workshop = new Workshop();
const disk = workshop.at('disk.raw');
let served: Served;

beforeAll(async () => {
  workshop.tool('sh', '-c', `head -c 64M /dev/urandom > ${disk}`);
  served = await workshop.serve(disk, 'raw');
});
afterAll(() => workshop[Symbol.asyncDispose]());

function job(root: string, overrides: Partial<BackupJobInput> = {}): BackupJobInput {
  return jobFor(workshop.at(root), 'b0', [{ name: 'vda', type: 'Full', source: served.uri }], overrides);
}

/** Starts the mover with a job, standard input held open. */
function start(given: BackupJobInput) {
  workshop.tool('mkdir', '-p', join(given.directory, '../../../..'));
  const child = workshop.start(MOVER[0], [MOVER[1], 'backup', '--job', '-', '--json'], 'pipe');
  child.stdin?.write(`${JSON.stringify(given)}\n`);
  return child;
}

/** So slow that there is time to do something to it. */
const slow = { limitBytesPerSecond: 8 * 1024 * 1024 };

const INCOMING = /^\.incoming-b0-1\.[0-9a-f]{8}$/;

async function untilCopying(directory: string): Promise<void> {
  const vm = join(directory, '..');
  const isUnderWay = (): boolean => {
    const incoming = existsSync(vm) && readdirSync(vm).find((name) => INCOMING.test(name));
    const image = join(vm, incoming || 'none', 'vda.qcow2');
    return existsSync(image) && readFileSync(image).length >= 1024 * 1024;
  };
  for (let i = 0; !isUnderWay(); i++) {
    if (i > 1000) throw new Error('the mover does not copy');
    await sleep(20);
  }
}

const entries = (given: BackupJobInput): string[] => readdirSync(join(given.directory, '..'));

test('a job ends by itself although standard input stays open, and tells its result last', async () => {
  const given = job('good');
  const done = await finish(start(given));
  expect([done.code, done.stderr]).toEqual([0, '']);
  expect(lastEvent(done)).toMatchObject({
    event: 'result',
    command: 'backup',
    alreadyCommitted: false,
    volumes: [{ imageBytes: expect.any(Number) }],
  });
  expect(entries(given)).toEqual(['b0']);
  expect(lastEvent(await finish(start(given)))).toMatchObject({ alreadyCommitted: true });
});

describe('stopped in mid-copy, it removes its incoming directory and exits 5', () => {
  test.each<[string, (child: ReturnType<typeof start>) => void]>([
    ['by SIGTERM', (child) => child.kill('SIGTERM')],
    ['by SIGINT', (child) => child.kill('SIGINT')],
    ['by the end of standard input: the agent died', (child) => child.stdin?.end()],
  ])('%s', async (name, stop) => {
    const given = job(`stopped ${name.slice(-6)}`, slow);
    const child = start(given);
    const finished = finish(child);
    await untilCopying(given.directory);
    stop(child);
    const done = await finished;
    expect([done.code, lastEvent(done)['reason'], entries(given)]).toEqual([5, 'Aborted', []]);
  });
});

test('killed with SIGKILL, it leaves only its incoming directory; the next attempt makes the backup', async () => {
  const given = job('killed', slow);
  const child = start(given);
  const finished = finish(child);
  await untilCopying(given.directory);
  child.kill('SIGKILL');
  await finished;
  const left = entries(given);
  expect(left).toEqual([expect.stringMatching(INCOMING)]);
  const discarded = await workshop.mover(
    'discard',
    join(given.directory, '..'),
    '--attempts-of',
    'b0',
    '--json',
  );
  expect(lastEvent(discarded)).toMatchObject({ removed: left });
  expect((await finish(start(job('killed', { attempt: 2 })))).code).toBe(0);
  const to = workshop.at('killed.raw');
  expect(
    (await workshop.mover('restore', '--from', given.directory, '--volume', 'vda', '--to', to)).code,
  ).toBe(0);
  expect(same(to, disk)).toBe(true);
});

test('when the server is killed in mid-copy, that is NbdGone and nothing is left', async () => {
  await using mortal = await workshop.serve(disk, 'raw');
  const given = jobFor(workshop.at('gone'), 'b0', [{ name: 'vda', type: 'Full', source: mortal.uri }], slow);
  const finished = finish(start(given));
  await untilCopying(given.directory);
  mortal.child.kill('SIGKILL');
  const done = await finished;
  expect([done.code, lastEvent(done)]).toMatchObject([3, { reason: 'NbdGone', volume: 'vda' }]);
  expect(entries(given)).toEqual([]);
});

test.each([
  ['not JSON', 'frobnicate'],
  ['no job', '{}'],
  ['nothing', ''],
])('a job that is %s is refused', async (_, text) => {
  const child = workshop.start(MOVER[0], [MOVER[1], 'backup', '--job', '-', '--json'], 'pipe');
  child.stdin?.write(`${text}\n`);
  const done = await finish(child);
  expect([done.code, lastEvent(done)['reason']]).toEqual([2, 'JobInvalid']);
});

/** Runs the mover in a mount namespace of its own, where `root` is a small tmpfs; then tells what is left there. */
async function onTmpfs(
  root: string,
  options: string,
  given: BackupJobInput,
): Promise<{ code: number | null; events: string; left: string }> {
  const script = `mount -t tmpfs -o ${options} tmpfs "$1" && { "$2" "$3" backup --job "$4" --json; code=$?; find "$1" -mindepth 1 -printf 'left %P\n' >&2; exit $code; }`;
  workshop.tool('mkdir', '-p', root);
  const file = workshop.at('job.json');
  workshop.tool('sh', '-c', 'printf "%s\n" "$1" > "$2"', 'sh', JSON.stringify(given), file);
  const child = spawn(
    'unshare',
    ['--map-root-user', '--mount', 'sh', '-c', script, 'sh', root, ...MOVER, file],
    { stdio: 'pipe' },
  );
  const { code, stdout, stderr } = await finish(child);
  return { code, events: stdout, left: stderr };
}

test.each<[string, string, string, string]>([
  ['a full disk', 'size=8m', 'TargetFull', 'left c/ns/vm-1'],
  ['a disk with no room for a directory', 'size=8m,nr_inodes=3', 'TargetFull', ''],
  ['a read-only mount', 'ro', 'TargetReadOnly', ''],
])('%s is a typed error, and no half backup stays', async (_, options, reason, deepest) => {
  const root = workshop.at(`tmpfs-${reason}-${deepest.length}`);
  const given = jobFor(root, 'b0', [{ name: 'vda', type: 'Full', source: served.uri }]);
  const { code, events, left } = await onTmpfs(root, options, given);
  expect([code, JSON.parse(events.trim().split('\n').at(-1)!)]).toMatchObject([
    4,
    { event: 'error', reason },
  ]);
  expect(left).not.toMatch(/left .*incoming/);
  expect(left).toContain(deepest);
});
