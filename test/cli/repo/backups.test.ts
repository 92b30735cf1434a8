import { expect, test } from 'vitest';
import { listBackups, listingLine } from '../../../src/cli/repo/backups.ts';
import { backupLines } from '../../../src/cli/repo/backups-screen.ts';
import { plain } from '../../../src/cli/screen/style.ts';
import type { ListedBackup, VMBackupListing } from '../../../src/crds/vmbackuplisting.ts';
import type { Kube } from '../../../src/kube/client.ts';
import { written } from '../builders.ts';
import { ago, NOW } from '../../domain/builders.ts';

const screen = { paint: plain, now: NOW };
const path = (id: string) => `c/shop/db-1a2b3c4d/${id}`;
const stored = (id: string, changes: Partial<ListedBackup> = {}): ListedBackup => ({
  ...{ path: path(id), vmName: 'db', createdAt: ago(7200), type: 'Full', storedBytes: 1024 },
  ...{ chain: { id: '0123456789', position: 3 }, ...changes },
});

test('shows each backup in a line, how to restore what has no VMBackup, and what is wrong', () => {
  const lines = backupLines(
    'nas',
    [
      stored('a'),
      stored('b', { backupName: 'b', imported: true, damage: { reason: 'StandsOnDamage', message: 'on a' } }),
      { path: path('x'), damage: { reason: 'ManifestDamaged', message: 'not JSON' } },
    ],
    screen,
  );
  expect(lines[0]).toMatch(/^NAMESPACE +VM +TAKEN +AGE +TYPE +CHAIN +POS +STORED +VMBACKUP +PATH$/);
  expect(lines[1]).toMatch(/^shop +db +\S+Z +2h ago +Full +01234567 +3 +1\.0Ki +- +c\/shop\/db-1a2b3c4d\/a$/);
  expect(lines[2]).toMatch(/ b \(imported\) +c\/shop\/db-1a2b3c4d\/b$/);
  expect(lines.slice(5)).toEqual([
    '3 backups, 2.0Ki',
    '1 without a VMBackup: kubectl tidemark restore --from nas:PATH --to NAME (or --in-place, or --disks)',
    'c/shop/db-1a2b3c4d/b: StandsOnDamage: on a',
    'c/shop/db-1a2b3c4d/x: ManifestDamaged: not JSON',
  ]);
  expect(backupLines('nas', [], screen)).toEqual(["There is nothing in 'nas' that you may see."]);
});

/** An API server whose listings are answered as they are made: two backups for each, and more after the first. */
function answering(failure?: string) {
  const asked: unknown[] = [];
  const left = new Set<string>();
  const kube = {
    create: async (
      _: unknown,
      { metadata, spec }: { metadata: { name: string }; spec: { from?: string } },
    ) => {
      asked.push(spec);
      left.add(metadata.name);
      const [first, second] = spec.from === undefined ? (['a', 'b'] as const) : (['c', 'd'] as const);
      const conditions = failure === undefined ? [] : [{ type: 'Stalled', reason: failure, message: 'no.' }];
      const answer = { backups: [stored(first), stored(second)], completedAt: ago(0), conditions };
      const next = spec.from === undefined ? { next: path('c') } : {};
      return { metadata: { ...metadata, uid: metadata.name }, spec, status: { ...answer, ...next } };
    },
    delete: async (_: unknown, { name }: { name: string }) => void left.delete(name),
  } as unknown as Kube;
  return { kube, asked, left };
}

const wish = { repository: 'nas', namespace: 'shop', vmName: 'db' };
const quiet = () => {
  const [stdout, stderr] = [written(), written()];
  const { signal } = new AbortController();
  return { terminal: { stdout, stderr, env: {}, now: () => NOW, signal }, paint: plain };
};

test('asks page by page until it has seen all, and leaves nothing behind', async () => {
  const { kube, asked, left } = answering();
  const found = await listBackups(kube, wish, quiet());
  expect(found.map((each) => each.path)).toEqual(['a', 'b', 'c', 'd'].map(path));
  expect(asked).toEqual([
    { repository: 'nas', vmName: 'db' },
    { repository: 'nas', vmName: 'db', from: path('c') },
  ]);
  expect(left).toEqual(new Set());
});

test('a listing that is refused is an error with its words', async () => {
  const { kube, left } = answering('NamespaceNotAllowed');
  await expect(listBackups(kube, wish, quiet())).rejects.toMatchObject({ reason: 'NamespaceNotAllowed' });
  expect(left).toEqual(new Set());
});

test('says what a listing waits for', () => {
  const listing = (reason?: string): VMBackupListing => ({
    ...{ metadata: { name: 'l', uid: 'l' }, spec: { repository: 'nas' } },
    ...(reason !== undefined && {
      status: {
        conditions: [{ type: 'Reconciling', status: 'True', reason, message: 'm', lastTransitionTime: '' }],
      },
    }),
  });
  expect(listingLine(listing(), 0).text).toBe("lists 'nas'");
  expect(listingLine(listing('Listing'), 500).text).toBe("lists 'nas' (500 so far)");
  expect(listingLine(listing('ImagePullBackOff'), 0)).toEqual({
    text: 'waits: ImagePullBackOff: m',
    tone: 'warn',
  });
});
