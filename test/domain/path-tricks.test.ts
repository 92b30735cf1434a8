import { describe, expect, test } from 'vitest';
import { BackupJob } from '../../src/domain/mover-job.ts';
import { BackupId, VolumeName } from '../../src/domain/manifest.ts';
import { podPaths } from '../../src/node-agent/launcher.ts';

/** Names that come from outside, and want to lead out of where they belong. */
const tricks = [
  '..',
  '.',
  '../shop',
  'a/b',
  '/etc/passwd',
  '.hidden',
  '',
  'a\0b',
  'a\nb',
  '-rf',
  'a b',
  'ä',
  '%2e%2e',
  '~root',
];

describe('a name that becomes a file name', () => {
  test.each(tricks)('is no backup id, and no volume: %j', (name) => {
    expect(BackupId.safeParse(name).success).toBe(false);
    expect(VolumeName.safeParse(name).success).toBe(false);
  });

  // A leading dash leads nowhere below /pods/.
  test.each(tricks.filter((name) => name !== '-rf'))(
    'is no pod UID, which is a directory of the kubelet: %j',
    (name) => {
      expect(() => podPaths('/pods', name)).toThrow(/is no pod UID/);
    },
  );
});

describe('the directory that a mover writes to', () => {
  test.each([
    'relative/c/shop/vm-1/b1',
    '/repo/../etc/b1',
    '/repo/c/shop/../bank/b1',
    '/repo/./c/b1',
    '/repo/c/shop/vm-1/b1/',
    '/repo/c/shop/vm-1/b1\0',
    '/repo/c/shop/vm-1/other',
  ])('is not %j', (directory) => {
    const read = BackupJob.safeParse({
      directory,
      attempt: 1,
      manifest: { backup: { id: 'b1' } },
      volumes: [],
    });
    const paths = read.error?.issues.map(({ path }) => path[0]) ?? [];
    // The last is well-formed; it is refused when the rest of the job is, because it does not end in the backup's id.
    expect(read.success).toBe(false);
    if (!directory.endsWith('other')) expect(paths).toContain('directory');
  });
});
