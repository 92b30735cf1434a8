import type { RestoredVolume, RestorePlan, VMRestore } from '../../crds/vmrestore.ts';
import type { JobStanding } from '../job/job-standing.ts';
import { writeJobName } from './names.ts';

/** How far the writing is. */
export interface RestoreProgress {
  readonly volumes: readonly RestoredVolume[];
  readonly percent: number;
  readonly bytesPerSecond?: number;
  readonly secondsLeft?: number;
}

/**
 * How far a restore is, disk by disk and in all.
 * @param startedAt when the writing began, RFC 3339
 * @param now milliseconds since the epoch
 */
export function restoreProgress(
  restore: VMRestore,
  plan: RestorePlan,
  jobs: ReadonlyMap<string, JobStanding>,
  startedAt: string | undefined,
  now: number,
): RestoreProgress {
  const volumes = plan.claims.map(({ volume, sizeBytes }): RestoredVolume => {
    const standing = jobs.get(writeJobName(restore, volume));
    if (standing?.kind === 'Succeeded') return { volume, state: 'Done', doneBytes: sizeBytes };
    if (standing?.kind !== 'Running') return { volume, state: 'Waiting' };
    return { volume, state: 'Writing', doneBytes: Math.min(standing.progress?.bytesDone ?? 0, sizeBytes) };
  });
  const totalBytes = plan.claims.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const doneBytes = volumes.reduce((sum, volume) => sum + (volume.doneBytes ?? 0), 0);
  const percent = totalBytes === 0 ? 100 : Math.floor((doneBytes / totalBytes) * 100);
  const seconds = startedAt === undefined ? 0 : (now - Date.parse(startedAt)) / 1000;
  if (seconds < 1 || doneBytes === 0) return { volumes, percent };
  const bytesPerSecond = Math.round(doneBytes / seconds);
  const secondsLeft = Math.ceil((totalBytes - doneBytes) / Math.max(1, bytesPerSecond));
  return { volumes, percent, bytesPerSecond, secondsLeft };
}
