import { expect, test } from 'vitest';
import { listingLine } from '../../../src/cli/repo/backups.ts';
import { backupLines } from '../../../src/cli/repo/backups-screen.ts';
import { plain } from '../../../src/cli/screen/style.ts';
import type { ListedBackup, VMBackupListing } from '../../../src/crds/vmbackuplisting.ts';
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
