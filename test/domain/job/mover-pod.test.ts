import { describe, expect, test } from 'vitest';
import { diskPath, mountedDisk, moverJob, type MoverJob } from '../../../src/domain/job/mover-pod.ts';

const work: MoverJob = {
  namespace: 'shop',
  name: 'j',
  labels: { of: 'me' },
  owner: { apiVersion: 'v1', kind: 'Thing', name: 't', uid: 'u' },
  image: 'tidemark:1',
  program: 'mover',
  args: ['verify', '/mnt/repository/c/shop/db/b'],
  retries: 2,
  claims: [],
  repository: {
    spec: {
      nfs: { server: 'nas', path: '/exports/', version: '4.2' },
      allowedNamespaces: ['*'],
    } as MoverJob['repository']['spec'],
    subdirectory: 'c/shop',
    readOnly: true,
  },
};
const local = { local: { path: '/backups' }, allowedNamespaces: ['*'] } as MoverJob['repository']['spec'];
const podOf = (job: MoverJob) => JSON.stringify(moverJob(job).spec);

describe('the pod of a mover', () => {
  test('has no credentials, no capabilities, no root', () => {
    for (const part of [
      '"automountServiceAccountToken":false',
      '"runAsNonRoot":true',
      '"drop":["ALL"]',
      '"readOnlyRootFilesystem":true',
      '"allowPrivilegeEscalation":false',
    ])
      expect(podOf(work)).toContain(part);
  });

  test('that reads mounts its own part of the repository and nothing else', () => {
    expect(podOf(work)).toContain('"nfs":{"server":"nas","path":"/exports/c/shop","readOnly":true}');
    expect(podOf(work)).toContain('"mountPath":"/mnt/repository/c/shop","readOnly":true');
  });

  test('that writes sees its own part, which need not be there yet', () => {
    const writer = podOf({ ...work, repository: { spec: local, subdirectory: 'c/shop', readOnly: false } });
    expect(writer).toContain('"hostPath":{"path":"/backups","type":"Directory"}');
    expect(writer).toContain('"mountPath":"/mnt/repository/c/shop","readOnly":false,"subPath":"c/shop"');
  });

  test.each([
    ['Filesystem', '/mnt/disks/root/disk.img', '"mountPath":"/mnt/disks/root"'],
    ['Block', '/dev/disk-root', '"volumeDevices":[{"name":"disk-root","devicePath":"/dev/disk-root"}]'],
  ] as const)('sees a claim of mode %s at %s', (volumeMode, path, part) => {
    const disk = mountedDisk('root', { claimName: 'db-root', volumeMode });
    expect(diskPath(disk)).toBe(path);
    expect(podOf({ ...work, claims: [disk] })).toContain(part);
  });

  test('is not tried again for what stays wrong', () => {
    expect(podOf(work)).toContain('"podFailurePolicy"');
  });
});
