import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { moverAt } from '../../src/node-agent/mover-process/mover.ts';
import { MoverFailed, runMover } from '../../src/node-agent/mover-process/spawn.ts';
import { moverCommand } from '../../src/node-agent/options.ts';
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
});
afterAll(() => rm(directory, { recursive: true, force: true }));

function tmpfs(options: string): Place {
  return {
    ...{ kind: 'ToMount', root: join(directory, 'mounted'), fsType: 'tmpfs', source: 'tmpfs' },
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
    expect(await readdir(join(directory, 'mounted'))).toEqual([]);
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
