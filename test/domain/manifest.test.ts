import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BackupId, isReservedFileName, ManifestContext, VolumeName } from '../../src/domain/manifest.ts';
import {
  BackupJob,
  type BackupJobInput,
  incomingName,
  parseIncomingName,
} from '../../src/domain/mover-job.ts';

const context = {
  backup: { id: 'b1', name: 'b1', namespace: 'ns', uid: 'u1', createdAt: '2026-11-23T10:00:00Z' },
  cluster: 'c',
  vm: { name: 'vm', namespace: 'ns', uid: 'v1' },
  chain: { id: 'x', position: 1 },
  type: 'Incremental',
  reason: 'BaseAvailable',
  message: 'the parent is there',
  bitmap: 'backup-2',
  parent: { name: 'b0', id: 'b0' },
} as const;

const full = { name: 'vda', source: 'nbd+unix:///vda?socket=/s', type: 'Full' } as const;
const incremental = { ...full, type: 'Incremental', bitmap: 'backup-1', parent: '/r/c/ns/vm/b0' } as const;
const job = {
  directory: '/r/c/ns/vm/b1',
  attempt: 1,
  manifest: context,
  volumes: [incremental],
} satisfies BackupJobInput;

test('a job needs little, and fills in the rest', () => {
  expect(BackupJob.parse(job)).toMatchObject({
    compression: 'none',
    files: [],
    manifest: { definitions: {} },
  });
});

describe('a job is refused', () => {
  test.each<[string, object]>([
    ['with a relative directory', { directory: 'b1' }],
    ['with a directory that climbs', { directory: '/r/../b1' }],
    ['with a directory of another backup', { directory: '/r/c/ns/vm/b2' }],
    ['without volumes', { volumes: [] }],
    ['with one volume twice', { volumes: [full, full] }],
    ['with an incremental that has no parent', { volumes: [{ ...full, type: 'Incremental', bitmap: 'x' }] }],
    ['with an incremental that has no bitmap', { volumes: [{ ...full, type: 'Incremental', parent: '/p' }] }],
    ['with a full on a parent', { volumes: [{ ...incremental, type: 'Full' }] }],
    ['with a volume that climbs', { volumes: [{ ...full, name: '../vda' }] }],
    ['with a file in place of the manifest', { files: [{ name: 'manifest.json', content: '{}' }] }],
    ['with a file in place of an image', { files: [{ name: 'vda.qcow2', content: '' }] }],
    ['with a file that climbs', { files: [{ name: '../x', content: '' }] }],
    ['with a member nobody knows', { limit: 1 }],
    ['with a limit of nothing', { limitBytesPerSecond: 0 }],
    ['with a compression nobody knows', { compression: 'lzma' }],
  ])('%s', (_, wrong) => {
    expect(BackupJob.safeParse({ ...job, ...wrong }).success).toBe(false);
  });
});

test.each(['', '.hidden', '..', 'a/b', 'a:b', 'a b', '-x', 'ü', 'x'.repeat(201)])(
  '"%s" is no backup id',
  (id) => {
    expect(BackupId.safeParse(id).success).toBe(false);
  },
);

test.each(['', '.', '-a', 'a-', 'A', 'a/b', 'x'.repeat(64)])('"%s" is no volume name', (name) => {
  expect(VolumeName.safeParse(name).success).toBe(false);
});

test('a point in time must be one', () => {
  const wrong = { ...context, backup: { ...context.backup, createdAt: 'yesterday' } };
  expect(ManifestContext.safeParse(wrong).success).toBe(false);
});

test('names the mover keeps for itself', () => {
  expect(
    ['manifest.json', 'manifest.sha256', 'a.sums', 'a.qcow2', 'domain.xml'].map(isReservedFileName),
  ).toEqual([true, true, true, true, false]);
});

const backupId = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,30}$/);

const mark = fc.stringMatching(/^[0-9a-f]{8}$/);

test('an incoming name tells exactly its backup and attempt', () => {
  fc.assert(
    fc.property(backupId, fc.nat(), mark, (id, attempt, random) => {
      expect(parseIncomingName(incomingName(id, attempt, random))).toEqual({ backupId: id, attempt });
      expect(parseIncomingName(`.incoming-${id}-${attempt}`)).toEqual({ backupId: id, attempt });
    }),
  );
});

test.each([
  'b1',
  '.incoming-',
  '.incoming-b1',
  '.incoming-b1-',
  '.incoming-b1-x',
  '.incoming--1',
  '.incoming-b1-1.',
  '.incoming-b1-1.0123ABCD',
  '.incoming-b1-1.0123abcde',
  'x.incoming-b1-1',
])('"%s" is no incoming name', (name) => {
  expect(parseIncomingName(name)).toBeNull();
});
