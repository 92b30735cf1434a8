import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { BriefBackup, ListResult } from '../../../src/domain/upkeep/brief.ts';
import { run } from '../../../src/mover/commands/list.ts';
import { readManifest, writeManifest } from '../../../src/mover/repository/manifest-file.ts';
import { temporaryDirectory } from '../support/backup-rig.ts';
import { memoryWorld } from '../support/memory-world.ts';
import { withoutPrivileges } from '../support/without-privileges.ts';
import { StoredChain } from '../support/stored-chain.ts';

let root: string;
beforeEach(() => {
  const directory = temporaryDirectory();
  root = directory.path;
  onTestFinished(() => directory[Symbol.dispose]());
});

async function page(size: number, from?: string) {
  const { world, output } = memoryWorld();
  expect(
    await run([root, '--page', String(size), ...(from === undefined ? [] : ['--from', from])], world),
  ).toBe(0);
  const lines = output()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  return {
    bytes: output().length,
    backups: lines.slice(0, -1).map((line) => BriefBackup.parse(line)),
    result: ListResult.parse(lines.at(-1)),
  };
}

test('pages of any size list each backup once, in the order of the walk, damaged ones too', async () => {
  for (const vm of ['c/a-b/db-1', 'c/a/db-1', 'other/a/web-1']) {
    const chain = new StoredChain(join(root, vm));
    for (const position of [0, 1, 2]) await chain.add(1024 * 1024, new Map([[position, 1]]));
  }
  writeFileSync(join(root, 'c/a/db-1/b001/manifest.json'), '{');
  rmSync(join(root, 'c/a/db-1/b002/manifest.json'));
  const whole = (await page(100)).backups;
  expect(whole.map(({ path }) => path)).toEqual([
    ...['b000', 'b001', 'b002'].map((id) => `c/a/db-1/${id}`),
    ...['b000', 'b001', 'b002'].map((id) => `c/a-b/db-1/${id}`),
    ...['b000', 'b001', 'b002'].map((id) => `other/a/web-1/${id}`),
  ]);
  expect(whole.map(({ reason }) => reason).slice(0, 3)).toEqual([
    null,
    'BackupDataDamaged',
    'BackupDataMissing',
  ]);
  for (const size of [1, 2, 4]) {
    const seen: BriefBackup[] = [];
    let next: string | null | undefined;
    do {
      const { backups, result } = await page(size, next ?? undefined);
      expect(result.backups).toBe(backups.length);
      seen.push(...backups);
      next = result.next;
    } while (next !== null);
    expect(seen).toEqual(whole);
  }
});

test('a line holds what an incremental stands on, and never the definitions of the VM', async () => {
  const chain = new StoredChain(join(root, 'c/shop/db-1'));
  await chain.add(1024 * 1024, new Map([[0, 1]]));
  await chain.add(1024 * 1024, new Map([[1, 1]]));
  const [, incremental] = (await page(10)).backups;
  expect(incremental?.backup?.volumes).toMatchObject([{ name: 'vda', type: 'Incremental', parent: 'b000' }]);
  expect(JSON.stringify(incremental)).not.toContain('definitions');
});

test("names that the format does not know are nobody's backups: those of the NAS itself", async () => {
  const chain = new StoredChain(join(root, 'c/a/db-1'));
  await chain.add(1024 * 1024, new Map([[1, 1]]));
  for (const name of ['lost+found', '#recycle', '-x', 'System Volume Information', 'a\nb'])
    mkdirSync(join(root, name, 'c/d/e'), { recursive: true });
  mkdirSync(Buffer.concat([Buffer.from(join(root, 'latin')), Buffer.from([0xe9])]));
  expect((await page(100)).backups.map(({ path }) => path)).toEqual(['c/a/db-1/b000']);
});

test('a directory that cannot be read is told, and hides no other', async () => {
  for (const vm of ['c/a/db-1', 'c/z/db-1'])
    await new StoredChain(join(root, vm)).add(1024 * 1024, new Map([[1, 1]]));
  chmodSync(join(root, 'c/a'), 0);
  const { backups, result } = await withoutPrivileges(root, () => page(10));
  expect(backups.map(({ path, reason }) => [path, reason])).toEqual([
    ['c/a', 'BackupDataDamaged'],
    ['c/z/db-1/b000', null],
  ]);
  expect(result).toMatchObject({ backups: 2, next: null });
});

test('a page of backups with many disks ends before its log is longer than a node keeps', async () => {
  const chain = new StoredChain(join(root, 'c/a/db-1'));
  for (let at = 0; at < 6; at++) {
    const directory = await chain.add(1024 * 1024, new Map([[1, 1]]));
    const manifest = await readManifest(directory);
    const volumes = Array.from({ length: 900 }, (_, index) => ({
      ...manifest.volumes[0]!,
      name: `${'v'.repeat(50)}${index}`,
      reason: 'r'.repeat(4096),
    }));
    for (const file of ['manifest.json', 'manifest.sha256']) rmSync(join(directory, file));
    await writeManifest(directory, { ...manifest, volumes });
  }
  const seen: string[] = [];
  let from: string | undefined;
  do {
    const { backups, result, bytes } = await page(500, from);
    expect(bytes).toBeLessThan(6 * 1024 * 1024);
    seen.push(...backups.map(({ path }) => path));
    from = result.next ?? undefined;
  } while (from !== undefined);
  expect(seen).toHaveLength(6);
});
