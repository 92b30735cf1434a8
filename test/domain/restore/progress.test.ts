import { describe, expect, test } from 'vitest';
import type { RestorePlan } from '../../../src/crds/vmrestore.ts';
import type { JobStanding } from '../../../src/domain/job/job-standing.ts';
import { writeJobName } from '../../../src/domain/restore/names.ts';
import { restoreProgress } from '../../../src/domain/restore/progress.ts';
import { GiB, newVM, PATH, restore } from './builders.ts';

const asked = restore(newVM);
const claim = (volume: string, sizeBytes: number) => ({
  ...{ volume, claimName: `db-2-${volume}`, sizeBytes, requestBytes: sizeBytes },
  ...{ volumeMode: 'Block' as const, accessModes: ['ReadWriteOnce'] },
});
const plan: RestorePlan = {
  repository: 'nas',
  path: PATH,
  claims: [claim('root', 3 * GiB), claim('data', GiB)],
};
const START = '2026-11-24T00:00:00Z';

const progressAfter = (seconds: number, standings: Readonly<Record<string, JobStanding>>) =>
  restoreProgress(
    asked,
    plan,
    new Map(Object.entries(standings).map(([volume, standing]) => [writeJobName(asked, volume), standing])),
    START,
    Date.parse(START) + seconds * 1000,
  );
const running = (bytesDone: number) =>
  ({ kind: 'Running', progress: { bytesDone }, lastLine: undefined }) as unknown as JobStanding;

describe('the progress of a restore', () => {
  test('counts what is done of all disks, and tells the time left at the rate so far', () => {
    expect(progressAfter(10, { root: running(GiB), data: { kind: 'Succeeded' } })).toEqual({
      volumes: [
        { volume: 'root', state: 'Writing', doneBytes: GiB },
        { volume: 'data', state: 'Done', doneBytes: GiB },
      ],
      percent: 50,
      bytesPerSecond: Math.round((2 * GiB) / 10),
      secondsLeft: 10,
    });
  });

  test('promises nothing before the first byte', () => {
    expect(progressAfter(60, {})).toEqual({
      volumes: [
        { volume: 'root', state: 'Waiting' },
        { volume: 'data', state: 'Waiting' },
      ],
      percent: 0,
    });
  });

  test('is all when all disks are done', () => {
    const done: JobStanding = { kind: 'Succeeded' };
    expect(progressAfter(4, { root: done, data: done })).toMatchObject({ percent: 100, secondsLeft: 0 });
  });

  test('never passes a disk, whatever its writer says', () => {
    expect(progressAfter(4, { root: running(9 * GiB) })).toMatchObject({ percent: 75 });
  });
});
