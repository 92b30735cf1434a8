import { expect, test } from 'vitest';
import { notMountableByJobs } from '../../../src/domain/job/not-mountable.ts';
import { repository, repositorySpec } from '../builders.ts';

const of = (where: Parameters<typeof repositorySpec>[0]) => ({
  ...repository(),
  spec: repositorySpec(where),
});

test('a Job mounts NFS and directories, and says what to do with anything else', () => {
  const cifs = { server: 'nas', share: 'vms', version: '3.1.1', encrypt: false, secretName: 's' } as const;
  const cephfs = { monitors: ['mon'], path: '/', user: 'u', secretName: 's' };
  expect(notMountableByJobs(of({ local: { path: '/srv' } }))).toBeUndefined();
  expect(notMountableByJobs(of({ nfs: { server: 'nas', path: '/x', version: '4.2' } }))).toBeUndefined();
  expect(notMountableByJobs(of({ cifs }))).toMatchObject({
    reason: 'RepositoryNotMountable',
    message: expect.stringContaining('an SMB share, which only the node agents can mount'),
  });
  expect(notMountableByJobs(of({ cephfs }))?.message).toContain('CephFS');
});
