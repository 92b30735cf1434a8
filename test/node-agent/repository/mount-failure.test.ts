import { describe, expect, test } from 'vitest';
import { mountFailure } from '../../../src/node-agent/repository/mount-failure.ts';

const place = {
  kind: 'ToMount',
  root: '/run/tidemark/repository',
  fsType: 'nfs',
  source: 'nas:/exports/vms',
  options: 'hard',
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
    ['MountNotPermitted', 'mount: /run/tidemark/repository: must be superuser to use mount.'],
    [
      'MountUnsupported',
      'mount: /r: bad option; for several filesystems (e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.',
    ],
    ['MountUnsupported', 'mount.nfs: No such device'],
    ['MountFailed', "mkdir: cannot create directory '/run/tidemark': Permission denied"],
    ['MountFailed', 'mount.nfs: an incorrect mount option was specified'],
    ['MountFailed', ''],
  ])('%s: %s', (reason, said) => {
    const failure = mountFailure(place, said);
    expect(failure.reason).toBe(reason);
    expect(failure.message).toContain('nas:/exports/vms');
    expect(failure.message).toContain(said);
  });

  test('silence until it was stopped is MountTimedOut', () => {
    const { reason, message } = mountFailure(place, { silentMs: 60_000 });
    expect([reason, message]).toEqual([
      'MountTimedOut',
      expect.stringContaining('nas:/exports/vms was not mounted within 60 s'),
    ]);
  });
});
