import { describe, expect, test } from 'vitest';
import { mountFailure } from '../../../src/node-agent/repository/mount-failure.ts';

const place = {
  kind: 'ToMount',
  root: '/mnt/tidemark/repository',
  fsType: 'nfs',
  source: 'nas:/exports/vms',
  options: 'hard',
  needsCredentials: false,
} as const;

describe('a mount that failed is told in a word and a sentence', () => {
  // What mount.nfs 2.6.2, mount and unshare 2.38 said.
  test.each([
    [
      'MountExportMissing',
      'mount.nfs: mounting nas:/x failed, reason given by server: No such file or directory',
    ],
    ['MountRefused', 'mount.nfs: Connection refused'],
    ['MountUnreachable', 'mount.nfs: No route to host'],
    ['MountUnreachable', 'mount.nfs: Network is unreachable'],
    ['MountTimedOut', 'mount.nfs: Connection timed out'],
    ['MountServerUnknown', 'mount.nfs: Resource temporarily unavailable'],
    ['MountServerUnknown', 'mount.nfs: Failed to resolve server nas: Name or service not known'],
    ['MountDenied', 'mount.nfs: access denied by server while mounting nas:/exports/vms'],
    ['MountDenied', 'mount.nfs: Operation not permitted'],
    ['MountVersionUnsupported', 'mount.nfs: requested NFS version or transport protocol is not supported'],
    ['MountNotPermitted', 'unshare: unshare failed: Operation not permitted'],
    ['MountNotPermitted', 'unshare: spawn EPERM'],
    ['MountNotPermitted', 'mount.nfs: not installed setuid - "user" NFS mounts not supported.'],
    ['MountNotPermitted', 'Unable to apply new capability set.'],
    ['MountNotPermitted', 'mount: /mnt/tidemark: must be superuser to use mount.'],
    [
      'MountUnsupported',
      'mount: /r: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.',
    ],
    ['MountUnsupported', 'mount.nfs: No such device'],
    ['MountFailed', "mount: /mnt/tidemark: can't find in /etc/fstab."],
    ['MountFailed', 'mount.nfs: an incorrect mount option was specified'],
    ['MountFailed', ''],
  ])('%s: %s', (reason, said) => {
    const failure = mountFailure(place, said);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain('nas:/exports/vms');
    expect(failure.message).toContain(said);
  });

  // What mount.cifs (cifs-utils 7) and mount.ceph say, by their sources; not heard from real servers.
  test.each([
    ['MountDenied', 'mount error(13): Permission denied', 'the Secret with the credentials'],
    ['MountExportMissing', 'mount error(2): No such file or directory', 'check spec.cifs.path'],
    [
      'MountUnreachable',
      'mount error(113): could not connect to 10.0.0.1: No route to host',
      'spec.cifs.server',
    ],
    [
      'MountServerUnknown',
      'mount error: could not resolve address for nas: Unknown error',
      'spec.cifs.server',
    ],
    ['MountUnsupported', 'mount: /r: unknown filesystem type', 'needs mount.cifs (cifs-utils)'],
  ])('%s of a share: %s', (reason, said, advice) => {
    const failure = mountFailure({ ...place, fsType: 'cifs', source: '//nas/vms' }, said);
    expect(failure).toMatchObject({ reason, message: expect.stringContaining(advice) });
  });

  test('silence until it was stopped is MountTimedOut', () => {
    const { reason, message } = mountFailure(place, { silentMs: 60_000 });
    expect([reason, message]).toEqual([
      'MountTimedOut',
      expect.stringContaining('nas:/exports/vms was not mounted within 60 s'),
    ]);
  });
});
