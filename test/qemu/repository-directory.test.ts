import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { moverAt } from '../../src/node-agent/mover-process/mover.ts';
import { MoverFailed, runMover } from '../../src/node-agent/mover-process/spawn.ts';
import { moverCommand } from '../../src/node-agent/options.ts';
import { IMAGE_TABLE, MOUNT_DIRECTORY, MOUNT_POINT } from '../../src/node-agent/repository/mount-command.ts';
import type { Place } from '../../src/node-agent/repository/place.ts';
import { probeRepository } from '../../src/node-agent/repository/report.ts';

/**
 * What an agent asks of any repository, on a plain directory and on local file systems with the faults that NFS has in
 * nfs.test.ts: full, read-only, not there. The mounts are the agent's own, in a mount namespace of their own.
 */
const MOVER = moverCommand();
const LIMITS = { copyStallMs: 20_000, answerMs: 20_000 };
const DEADLINE_MS = 15_000;
const { signal } = new AbortController();

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-repository-'));
  await writeFile(join(directory, 'unshare'), UNSHARE, { mode: 0o755 });
  vi.stubEnv('PATH', `${directory}:${process.env['PATH']}`);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true, force: true });
});

/** Gives every mover the image's directory for its mounts, and the image's table of them, which this machine has not. */
const UNSHARE = `#!/bin/sh
exec /usr/bin/unshare --mount --propagation private sh -c '
  mount -t tmpfs tmpfs /mnt && mkdir ${MOUNT_DIRECTORY} && echo "${IMAGE_TABLE}" >${MOUNT_DIRECTORY}/fstab &&
  LIBMOUNT_FSTAB=${MOUNT_DIRECTORY}/fstab exec /usr/bin/unshare "$@"' sh "$@"
`;

function tmpfs(options: string): Place {
  return {
    ...{ kind: 'ToMount', root: MOUNT_POINT, fsType: 'tmpfs', source: 'tmpfs' },
    ...{ options, needsCredentials: false },
  } as const;
}

/** What the condition of the repository would say, and how long that took. */
async function found(place: Place) {
  const began = performance.now();
  const report = await probeRepository(moverAt(place, MOVER, LIMITS), () => new Date(), signal);
  return { ...report, ms: performance.now() - began };
}

describe('a repository', () => {
  test('that is a directory is ready, tells its room, and nothing of the look is left in it', async () => {
    const report = await found({ kind: 'Mounted', root: directory });
    expect(report).toMatchObject({ ready: true, reason: 'Ready' });
    expect(report.freeBytes).toBeGreaterThan(0);
    expect(report.capacityBytes).toBeGreaterThanOrEqual(report.freeBytes!);
    expect((await readdir(directory)).filter((name) => name.startsWith('.probe'))).toEqual([]);
  });

  test('that is mounted for the look is ready, with the size of the mount, which nobody else sees', async () => {
    const report = await found(tmpfs('size=8M'));
    expect(report).toMatchObject({ ready: true, capacityBytes: 8 * 2 ** 20 });
    expect(existsSync(MOUNT_POINT)).toBe(false);
  });

  test.each<[string, () => Place, string, RegExp]>([
    ['is read-only', () => tmpfs('ro'), 'TargetReadOnly', /read-only/],
    ['has no room for one block', () => tmpfs('size=4k,nr_inodes=1'), 'TargetFull', /full|no space/i],
    [
      'is not there',
      () => ({ kind: 'Mounted', root: join(directory, 'nowhere') }),
      'TargetMissing',
      /nowhere/,
    ],
  ])('that %s is not ready, within its deadline, and says why', async (_, place, reason, words) => {
    const report = await found(place());
    expect(report).toMatchObject({ ready: false, reason, message: expect.stringMatching(words) });
    expect(report.ms).toBeLessThan(DEADLINE_MS);
  });

  test('whose look hangs is given up after its time, and the agent goes on', async () => {
    const hangs = [process.execPath, '-e', 'setInterval(() => {}, 1000)', '--'];
    const began = performance.now();
    const run = { mover: hangs, place: tmpfs('size=1M'), args: ['probe'], stallMs: 500 };
    await expect(runMover(run, signal)).rejects.toMatchObject({ reason: 'MoverStalled' });
    await expect(runMover(run, signal)).rejects.toBeInstanceOf(MoverFailed);
    expect(performance.now() - began).toBeLessThan(DEADLINE_MS);
  });
});
