import { describe, expect, test } from 'vitest';
import { moverJob, type MoverJob, targetPath } from '../../../src/domain/job/mover-pod.ts';

const work: MoverJob = {
  namespace: 'shop',
  name: 'j',
  labels: { of: 'me' },
  owner: { apiVersion: 'v1', kind: 'Thing', name: 't', uid: 'u' },
  image: 'tidemark:1',
  args: ['verify', '/mnt/repository/db/b'],
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

  test('sees its own part of the repository and nothing else', () => {
    expect(podOf(work)).toContain('"nfs":{"server":"nas","path":"/exports/c/shop","readOnly":true}');
    const whole = { ...work, repository: { spec: local, subdirectory: '', readOnly: false } };
    expect(podOf(whole)).toContain('"hostPath":{"path":"/backups","type":"Directory"}');
  });

  test.each([
    ['Filesystem', '/mnt/disk/disk.img', '"volumeMounts"', '"mountPath":"/mnt/disk"'],
    ['Block', '/dev/disk', '"volumeDevices"', '"devicePath":"/dev/disk"'],
  ] as const)('writes a claim of mode %s to %s', (volumeMode, path, ...parts) => {
    expect(targetPath({ volumeMode })).toBe(path);
    for (const part of parts)
      expect(podOf({ ...work, disk: { claimName: 'c', volumeMode } })).toContain(part);
  });

  test('is not tried again for what stays wrong', () => {
    expect(podOf(work)).toContain('"podFailurePolicy"');
  });
});
