import { committedBefore } from '../../domain/committed-before.ts';
import type { VolumeResult } from '../../domain/mover-report.ts';
import type { Attempt } from './attempt.ts';

/**
 * What this very backup has in the repository, whoever committed it: this attempt, an agent that was killed, or a mover of an
 * earlier attempt that was given up and got through all the same. Undefined when nothing good is committed (yet).
 *
 * The report is brought in line with what is there. Our bitmap is the base of the next incremental only if the data is of
 * the instant at which that bitmap began; else changes in between would be in no backup at all, so the backup counts as
 * untracked, and the next one is a full.
 */
export async function committedVolumes(
  { mover, plan, backup, report }: Attempt,
  signal: AbortSignal,
): Promise<readonly VolumeResult[] | undefined> {
  const inspected = await mover.inspect(plan.path, signal);
  const { backup: found, usable, volumes } = inspected;
  if (found === null || found.uid !== backup.metadata.uid || !usable) return undefined;
  const { attempt, agent, startedAt, pointInTime, bitmapCreated, disks } = report.execution;
  const sameInstant = pointInTime === found.createdAt && (bitmapCreated ?? null) === found.bitmap;
  if (disks !== undefined && sameInstant) return volumes;
  await report.replace({
    ...{ attempt, agent, startedAt },
    ...committedBefore(plan.path, inspected, () => false),
  });
  return volumes;
}
