import { describe, expect, test } from 'vitest';
import type { VMRestore } from '../../src/crds/vmrestore.ts';
import { restoreByHand } from '../../src/domain/restore-by-hand.ts';
import { backup, goodBackup, plan, repository, repositorySpec } from './builders.ts';

const of = (source: VMRestore['spec']['source']): VMRestore => ({
  metadata: { name: 'r', uid: 'r' },
  spec: { source, vmName: 'again' },
});
const disks = ['root', 'data'].map((volume) => ({
  volume,
  type: 'Full' as const,
  reason: 'NoEarlierBackup',
}));

describe('the answer to a VMRestore', () => {
  test('has the commands for a repository that is a directory', () => {
    const source = goodBackup('b', { plan: { path: 'c/shop/db-1/b', disks } });
    const { reason, message } = restoreByHand({
      restore: of({ backupName: 'b' }),
      backup: source,
      repository: repository(),
    });
    expect(reason).toBe('RestoreByHand');
    expect(message).toBe(
      'This release does not carry out VMRestores. By hand, where the repository can be read: ' +
        "tidemark-mover restore --from '/srv/c/shop/db-1/b' --volume root --to root.raw; " +
        "or without Tidemark: qemu-img convert -O raw '/srv/c/shop/db-1/b/root.qcow2' root.raw. " +
        'The same for each of its volumes: root, data.',
    );
  });

  test('says how to mount an NFS export first', () => {
    const nfs = { server: 'nas.example.com', path: '/exports/backups', version: '4.2' as const };
    const answer = restoreByHand({
      restore: of({ repositoryPath: { repository: 'nas', path: 'c/shop/db-1/b' } }),
      backup: undefined,
      repository: { ...repository(), spec: repositorySpec({ nfs }) },
    });
    expect(answer.message).toContain('mount -t nfs -o ro nas.example.com:/exports/backups /mnt/tidemark;');
    expect(answer.message).toContain("--from '/mnt/tidemark/c/shop/db-1/b' --volume VOLUME");
  });

  test.each([
    ['does not exist in this namespace', undefined],
    ['has no data (New)', backup()],
    ['has no data (Assigned)', backup({ status: { plan: plan() } })],
  ])('is no command when the backup %s', (state, backup) => {
    const answer = restoreByHand({ restore: of({ backupName: 'b' }), backup, repository: repository() });
    expect(answer).toEqual({
      reason: 'BackupNotUsable',
      message: expect.stringContaining(`VMBackup 'b' ${state}`),
    });
  });
});
