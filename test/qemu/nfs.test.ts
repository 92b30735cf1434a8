import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { beforeAll, describe, expect, test } from 'vitest';
import { programs } from '../../hack/build/programs.ts';
import { runInGuest } from '../support/nfs/boot.ts';
import { makeDisks } from '../support/nfs/disks.ts';
import { PASSWORD } from '../support/nfs/rights.ts';
import { ROUNDS } from '../support/nfs/scenarios.ts';
import { OBSERVATIONS, type Observations } from '../support/nfs/observations.ts';

/**
 * The mover and the agent's mounts against a real NFS server and a real kernel client (docs/nfs.md). One guest plays all
 * scenarios (test/support/nfs/scenarios.ts); here it is judged what they saw.
 */
const rigs = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('tidemark-nfs-'));
interface Bytes {
  readonly bytesRead: number;
}
const nothing = { volumes: 0, mounts: 0, processes: [] };

let observations: Observations;
let rigsBefore: readonly string[];

beforeAll(async () => {
  rigsBefore = rigs();
  const all = { guest: 'test/support/nfs/guest.ts', ...programs };
  const guest = { programs: all, furnish: makeDisks, limitMs: 400_000 };
  observations = JSON.parse(await runInGuest(guest, OBSERVATIONS));
}, 420_000);

/** What a scenario saw. Throws what it could not get over. */
function seen<Name extends keyof Observations>(name: Name): NonNullable<Observations[Name]['seen']> {
  const { seen, error } = observations[name];
  if (!seen) throw new Error(`${name}: ${error}`);
  return seen;
}

describe("the agent's mount", () => {
  test('a probe mounts the export for itself', () => {
    expect(seen('probe')).toMatchObject({
      command: 'probe',
      repositoryId: null,
      totalBytes: 192 * 1024 * 1024,
    });
  });

  test('while a mover copies, only its own mount namespace sees the repository', () => {
    expect(seen('chain').copying).toMatchObject({ volumes: 1, mounts: 0, processes: [expect.any(String)] });
  });

  test.each(ROUNDS.flatMap(Object.keys) as (keyof Observations)[])(
    'after "%s" no mount and no process is left',
    (name) => expect(observations[name].left).toEqual(nothing),
  );

  test('on the host, nothing is left of the guest', () => {
    expect(rigs()).toEqual(rigsBefore);
  });
});

describe('the rights that a repository is mounted with', () => {
  const none = '0'.repeat(16);
  const nothing = { CapInh: none, CapPrm: none, CapEff: none, CapAmb: none };

  test('the agent is not root and has no capability; what it starts may have CAP_SYS_ADMIN, and nothing else', () => {
    const onlySysAdmin = (1n << 21n).toString(16).padStart(16, '0');
    const expected = { Uid: '107', Gid: '0', ...nothing, CapBnd: onlySysAdmin, NoNewPrivs: '0' };
    expect(seen('rights').agent).toEqual(expected);
  });

  test('a mover has none, and can gain none by the programs that mounted for it', () => {
    const { mover, unshare, mount } = seen('rights');
    expect(mover).toMatchObject({ Uid: '107', Gid: '0', ...nothing, NoNewPrivs: '1' });
    expect(unshare).toContain('Operation not permitted');
    expect(mount).toContain('not installed setuid');
  });

  test('the credentials of a share reach mount in a file of its own, and stand on no command line and in no environment', () => {
    const { mover, credentials, processes, leftBehind, ...told } = seen('share');
    // The mover reads its job and nothing of the credentials; their file is gone by then.
    expect(mover).toEqual({ job: '{"volume":"root"}\n', left: ['fstab', 'repository'] });
    expect(credentials).toBe(`username=backup\npassword=${PASSWORD}\n640\ntmpfs\n`);
    expect(processes).toContain('PATH=');
    expect(processes).not.toContain(PASSWORD.slice(0, 6));
    expect(told.arguments).toBe('//nas/v m /mnt/tidemark/repository\n');
    expect(leftBehind).toBe(false);
  });
});

describe('a repository on NFS', () => {
  test('holds a full and an incremental, which verify and restore byte for byte', () => {
    const { verified, restored, imageBytes } = seen('chain');
    expect(verified).toMatchObject({ good: true, backups: 2 });
    expect(restored).toBe(true);
    expect(imageBytes[1]).toBeLessThan(imageBytes[0]! / 4);
  });

  test('is listed, scrubbed and swept, leaf first, as in the Jobs that look after it', () => {
    const { listed, scrubbed, swept, stays } = seen('chain');
    expect(listed).toMatchObject({ command: 'list', backups: 2, next: null });
    expect(scrubbed).toMatchObject({ backups: 2, damaged: [], bytesLeft: (scrubbed as Bytes).bytesRead });
    expect(swept).toMatchObject([
      { backups: [{ outcome: 'HasDescendants' }] },
      { backups: [{ outcome: 'Removed' }] },
    ]);
    expect(stays).toEqual(['b0']);
  });

  test('a server that is killed and back in time costs a backup nothing but the time', () => {
    const { alreadyCommitted, milliseconds, entries } = seen('serverBack');
    expect([alreadyCommitted, entries]).toEqual([false, ['back']]);
    expect(milliseconds).toBeGreaterThan(3_000);
  });

  test('a server that is slow but answers makes a backup slow, and no more', () => {
    const { alreadyCommitted, milliseconds } = seen('slow');
    expect(alreadyCommitted).toBe(false);
    // 16 MiB of it went through the narrow link, and each call had to wait.
    expect(milliseconds).toBeGreaterThan(5_000);
  });

  test('a server whose disk fails is TargetFailed; the parent stays whole, and the next attempt makes the backup', () => {
    const { failure, whileBroken, again, verified } = seen('ioError');
    expect(failure).toMatchObject({
      reason: 'TargetFailed',
      volume: 'vda',
      message: expect.stringContaining('I/O error: the storage'),
    });
    expect(whileBroken).toMatchObject({ good: true, backups: 1 });
    expect(again).toMatchObject({ alreadyCommitted: false });
    expect(verified).toMatchObject({ good: true, backups: 2 });
  });

  test('an export that is withdrawn in mid-copy is TargetStale', () => {
    expect(seen('withdrawn').failure).toMatchObject({
      reason: 'TargetStale',
      volume: 'vda',
      message: expect.stringContaining('the export was withdrawn'),
    });
  });

  test('an export that is withdrawn makes the repository not ready: the next probe says why', () => {
    const { probe } = seen('withdrawn');
    expect(probe.reason).toMatch(/^(MountExportMissing|MountDenied|TargetReadOnly)$/);
    expect(probe.ms).toBeLessThan(15_000);
  });

  test('a full one is TargetFull, and the half backup is removed', () => {
    const { failure, left } = seen('full');
    expect(failure).toMatchObject({ reason: 'TargetFull', volume: 'vda' });
    expect(left).toEqual(['c', 'c/ns', 'c/ns/vm-1', 'tidemark.json']);
  });

  test('the kernel tells of a full disk at the first fsync, and never again', () => {
    expect(seen('fsyncTwice')).toEqual({ write: 'ok', first: 'ENOSPC', second: 'ok' });
  });

  test('a read-only one is TargetReadOnly', () => {
    expect(seen('readOnly')).toMatchObject({ reason: 'TargetReadOnly' });
  });
});

describe('a repository that cannot be mounted says why', () => {
  test.each([
    ['noSuchExport', 'MountExportMissing', 'check spec.nfs.path'],
    ['refused', 'MountRefused', 'no server answers on it'],
    ['noRoute', 'MountUnreachable', 'cannot be reached from this node'],
    ['noName', 'MountServerUnknown', 'cannot be resolved'],
    ['blackHole', 'MountTimedOut', 'was not mounted within 2 s'],
  ] as const)('%s: %s', (name, reason, words) => {
    const failure = seen('mounts')[name];
    expect(failure).toMatchObject({ reason, message: expect.stringContaining(words) });
    expect(failure.ms).toBeLessThan(15_000);
  });
});

describe('a server that goes away for good in mid-copy', () => {
  test('leaves a mover that cannot be killed: the agent says so and goes on', () => {
    const { failure, stallMs, answeredMs, abandoned } = seen('gone');
    expect(failure).toMatchObject({
      reason: 'MoverUnkillable',
      message: expect.stringContaining('bring the server back'),
    });
    // The copy goes into the cache for two seconds more; then silence, SIGTERM and SIGKILL.
    expect(answeredMs).toBeLessThan(stallMs + 15_000);
    expect(abandoned.volumes).toBe(1);
    expect(abandoned.processes).toHaveLength(1);
  });

  test('never holds up the agent itself', () => {
    expect(seen('gone').longestPauseMs).toBeLessThan(3_000);
  });

  test('does not let the next mover hang as well: it can be stopped, and does not pile up', () => {
    const { probe, abandoned, afterProbe } = seen('gone');
    expect(probe.reason).toMatch(/^Mount(TimedOut|Refused)$/);
    expect(afterProbe).toEqual(abandoned);
  });

  test('and comes back: the next attempt makes the backup', () => {
    const { again, entries } = seen('gone');
    expect(again).toMatchObject({ alreadyCommitted: false });
    expect(entries).toContain('gone');
  });
});
