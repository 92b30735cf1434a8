import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { entriesIn } from '../../../src/domain/upkeep/brief.ts';
import { findBackups } from '../../../src/mover/repository/catalogue.ts';
import { commitIncoming, createIncoming, discardAttempts } from '../../../src/mover/repository/incoming.ts';
import { ensureMark, readMark } from '../../../src/mover/repository/mark.ts';
import { probe } from '../../../src/mover/repository/probe.ts';
import { runMover } from '../../../src/mover/run.ts';
import { backup, failureOf, jobFor, temporaryDirectory } from '../support/backup-rig.ts';
import { serveFake } from '../support/fake-nbd-server.ts';
import { memoryWorld } from '../support/memory-world.ts';

let root: string;
beforeEach(() => {
  const directory = temporaryDirectory();
  root = directory.path;
  onTestFinished(() => directory[Symbol.dispose]());
});

test('discard removes the attempts of exactly one backup', async () => {
  for (const name of [
    '.incoming-b-1',
    '.incoming-b-12',
    '.incoming-b-1-1',
    '.incoming-bb-1',
    '.incoming-b-x',
    'b',
    'b-1',
  ]) {
    mkdirSync(join(root, name));
  }
  expect(await discardAttempts(root, 'b')).toEqual(['.incoming-b-1', '.incoming-b-12']);
  expect(readdirSync(root).sort()).toEqual([
    '.incoming-b-1-1',
    '.incoming-b-x',
    '.incoming-bb-1',
    'b',
    'b-1',
  ]);
});

test('discard finishes what an earlier, killed one began, and leaves a committed backup alone', async () => {
  mkdirSync(join(root, '.incoming-b-1.discarded', 'half'), { recursive: true });
  mkdirSync(join(root, '.incoming-c-1.discarded'));
  mkdirSync(join(root, 'b'));
  expect(await discardAttempts(root, 'b')).toEqual(['.incoming-b-1.discarded']);
  expect(readdirSync(root).sort()).toEqual(['.incoming-c-1.discarded', 'b']);
});

test('a mover that was thought dead cannot commit what is being discarded', async () => {
  const directory = join(root, 'b');
  const incoming = await createIncoming(directory, 1, '0123abcd');
  writeFileSync(join(incoming, 'manifest.json'), '{}');
  await discardAttempts(root, 'b');
  await expect(commitIncoming(incoming, directory)).rejects.toMatchObject({ reason: 'TargetMissing' });
  expect(readdirSync(root)).toEqual([]);
});

test('of two movers for one attempt, the one that was thought dead cannot commit what the other writes', async () => {
  const directory = join(root, 'b');
  const dead = await createIncoming(directory, 1, '0123abcd');
  const alive = await createIncoming(directory, 1, '4567abcd');
  writeFileSync(join(alive, 'manifest.json'), '{}');
  await expect(commitIncoming(dead, directory)).rejects.toMatchObject({ reason: 'TargetMissing' });
  await commitIncoming(alive, directory);
  expect(readdirSync(root)).toEqual(['b']);
});

test('discard finds nothing where nothing is', async () => {
  expect(await discardAttempts(join(root, 'absent'), 'b')).toEqual([]);
});

test('of many who mark a repository at once, one wins and all agree', async () => {
  const marks = await Promise.all(
    Array.from({ length: 8 }, (_, i) => ensureMark(root, undefined, `id-${i}`)),
  );
  expect(new Set(marks.map(({ repositoryId }) => repositoryId)).size).toBe(1);
  expect(readdirSync(root)).toEqual(['tidemark.json']);
});

test.each(['', 'x', '{}', '{"formatVersion":2,"repositoryId":"x"}'])(
  'a mark that says %j is not understood, and not touched',
  async (content) => {
    writeFileSync(join(root, 'tidemark.json'), content);
    expect(await failureOf(ensureMark(root, undefined, 'new'))).toMatchObject({
      reason: 'RepositoryUnknown',
      exitCode: 4,
    });
  },
);

test('a directory without a mark has none', async () => {
  expect(await readMark(root)).toBeNull();
});

const context = { now: () => 5, content: Buffer.from('probe'), unique: 'u' };

test('a probe tells the room there is, and leaves nothing', async () => {
  const result = await probe(root, context);
  expect(result).toMatchObject({ repositoryId: null, latencyMilliseconds: 0 });
  expect(result.freeBytes).toBeGreaterThan(0);
  expect(result.totalBytes).toBeGreaterThanOrEqual(result.freeBytes);
  expect(readdirSync(root)).toEqual([]);
});

test('a probe of a directory that is not there says so', async () => {
  expect(await failureOf(probe(join(root, 'absent'), context))).toMatchObject({
    reason: 'TargetMissing',
    exitCode: 4,
  });
});

test('the catalogue lists backups by path, good or not, and nothing hidden', async () => {
  await using server = await serveFake({ content: Buffer.alloc(65536, 1) });
  for (const id of ['b1', 'b0', 'b2'])
    await backup(jobFor(root, id, [{ name: 'vda', type: 'Full', source: server.address.uri }]));
  mkdirSync(join(root, 'c/ns/vm-1/.incoming-b3-1'));
  writeFileSync(join(root, 'c/ns/vm-1/.incoming-b3-1/manifest.json'), '{}');
  chmodSync(join(root, 'c/ns/vm-1/b2/manifest.json'), 0o600);
  writeFileSync(join(root, 'c/ns/vm-1/b2/manifest.json'), '{}');
  const found: string[] = [];
  for await (const { path, manifest } of findBackups(root))
    found.push(`${path} ${'reason' in manifest ? manifest.reason : ''}`);
  expect(found).toEqual([
    'c/ns/vm-1/b0 NoEarlierBackup',
    'c/ns/vm-1/b1 NoEarlierBackup',
    'c/ns/vm-1/b2 BackupDataDamaged',
  ]);
});

test('a listing for one namespace, or one VM, does not look into the others', async () => {
  await using server = await serveFake({ content: Buffer.alloc(65536, 1) });
  await backup(jobFor(root, 'b0', [{ name: 'vda', type: 'Full', source: server.address.uri }]));
  const list = async (...scope: readonly string[]) => {
    const { world, output } = memoryWorld();
    expect(await runMover(['list', root, '--page=9', ...scope], world)).toBe(0);
    return entriesIn(output()).map(({ path }) => path);
  };
  mkdirSync(join(root, 'c/other/vm-1/b0'), { recursive: true });
  expect(await list('--within=c/ns')).toEqual(['c/ns/vm-1/b0']);
  expect(await list('--within=*/ns', '--vm=vm')).toEqual(['c/ns/vm-1/b0']);
  expect(await list('--within=c/ns', '--vm=v')).toEqual([]);
  expect(await list('--within=c/n', '--within=d/ns')).toEqual([]);
  expect(await list()).toEqual(['c/ns/vm-1/b0', 'c/other/vm-1/b0']);
});
