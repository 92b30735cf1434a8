import { posix } from 'node:path';
import type { Execution } from '../../crds/vmbackup.ts';
import { backupJobOf } from '../../domain/backup-job.ts';
import { committedBefore } from '../../domain/committed-before.ts';
import { compressionOf } from '../../domain/compression.ts';
import { withCounts } from '../../domain/disk-counts.ts';
import { asExecuted, decideDisks, type ObservedDisk } from '../../domain/disk-decision.ts';
import type { InspectResult, ProgressEvent } from '../../domain/mover-report.ts';
import type { OfflineOrder } from '../../domain/offline-order.ts';
import { parentData } from '../../domain/parent-data.ts';
import { AttemptFailed } from '../job/attempt-failed.ts';
import { progressOf } from '../job/progress.ts';
import type { Mover } from '../mover-process/mover.ts';
import { addBitmap, type OfflineDisk, readDisks, removeBitmap } from './images.ts';
import { serveDisks } from './serve.ts';

/** What a backup of a stopped VM takes from outside. */
export interface OfflineContext {
  readonly mover: Mover;
  /** A directory for the socket; short. */
  readonly scratch: string;
  readonly now: () => Date;
  /** Told whenever the execution changes. */
  readonly tell: (execution: Execution) => void;
}

/**
 * Backs up the disks of a VM that does not run. The new bitmap begins before the first byte is read, and nothing writes to the disks while
 * they are served: so the data is of the very instant at which the bitmap began. The parent's bitmap goes only after the commit;
 * if there is none, the new one goes, and the next incremental covers everything since the parent.
 * @throws AttemptFailed, MoverFailed
 */
export async function backUpOffline(
  order: OfflineOrder,
  begun: Execution,
  { mover, scratch, now, tell }: OfflineContext,
  signal: AbortSignal,
): Promise<Execution> {
  const { plan, backup } = order;
  const disks = await readDisks(order);
  const earlier = await mover.inspect(plan.path, signal);
  if (earlier.usable && earlier.backup?.uid === backup.uid)
    return adopt(order, begun, { disks, earlier }, now);
  const observed = await observe(order, disks, mover, signal);
  const decision = decideDisks(plan, observed);
  const tracked = decision.disks.some((disk) => disk.tracked);
  let execution: Execution = {
    ...begun,
    disks: decision.disks.map(asExecuted),
    ...(decision.fallback && {
      incrementalFallback: { ...decision.fallback, disks: [...decision.fallback.disks] },
    }),
    quiesce: { result: 'NotAsked', message: 'The VM does not run: its disks are as it left them.' },
    ...(tracked && { bitmapCreated: plan.bitmap }),
    pointInTime: now().toISOString(),
  };
  tell(execution);
  try {
    for (const disk of disks) await addBitmap(disk, plan.bitmap);
    await using served = await serveDisks(disks, plan.parent?.bitmap, posix.join(scratch, 'nbd.sock'));
    const seen = new Map<string, ProgressEvent>();
    const onProgress = (event: ProgressEvent) => {
      seen.set(event.volume, event);
      const elapsedMs = now().getTime() - Date.parse(begun.startedAt);
      tell({ ...execution, progress: progressOf([...seen.values()], disks.length, elapsedMs) });
    };
    const source = (volume: string): string => `nbd+unix:///${volume}?socket=${served.socket}`;
    const { limitBytesPerSecond, definitions } = order;
    const job = {
      ...backupJobOf(backup, { plan, execution }, definitions, source),
      ...compressionOf(order),
      ...(limitBytesPerSecond !== undefined && { limitBytesPerSecond }),
    };
    const { volumes, alreadyCommitted } = await mover.backup(job, onProgress, signal);
    if (alreadyCommitted)
      throw new AttemptFailed(
        'CommittedMeanwhile',
        `${plan.path} was committed by another attempt just now: the next one takes it over.`,
      );
    execution = { ...execution, disks: withCounts(execution.disks ?? [], volumes) };
  } catch (error) {
    for (const disk of disks) await removeBitmap(disk, plan.bitmap).catch(() => undefined);
    throw error;
  }
  // From here on the data is safe; what fails now is tried again by the next plan, which names these bitmaps again.
  for (const name of [...(plan.obsoleteBitmaps ?? []), ...(plan.parent ? [plan.parent.bitmap] : [])])
    for (const disk of disks) if (name !== plan.bitmap) await removeBitmap(disk, name).catch(() => undefined);
  return { ...execution, completedAt: now().toISOString() };
}

/**
 * An earlier pod had committed this backup. Its bitmap began with it, before anything was read, and is the base of the next incremental if it
 * is still there, on every disk that is tracked.
 */
function adopt(
  { plan }: OfflineOrder,
  begun: Execution,
  { disks, earlier }: { readonly disks: readonly OfflineDisk[]; readonly earlier: InspectResult },
  now: () => Date,
): Execution {
  const bitmap = earlier.backup?.bitmap ?? '';
  const isWhole = disks.every(({ overlay, bitmaps }) => overlay === null || bitmaps.get(bitmap) === 'usable');
  const trackable = new Set(disks.filter(({ overlay }) => overlay !== null).map(({ volume }) => volume));
  const isBase = isWhole && trackable.size > 0;
  const told = committedBefore(plan.path, earlier, (volume) => isBase && trackable.has(volume));
  return {
    ...begun,
    ...told,
    ...(isBase && { bitmapCreated: bitmap }),
    disks: withCounts(told.disks ?? [], earlier.volumes),
    completedAt: now().toISOString(),
  };
}

async function observe(
  { plan }: OfflineOrder,
  disks: readonly OfflineDisk[],
  mover: Mover,
  signal: AbortSignal,
): Promise<readonly ObservedDisk[]> {
  const parents = [...new Set(plan.disks.flatMap(({ parentPath }) => parentPath ?? []))];
  const found = new Map<string, InspectResult>();
  for (const path of parents) found.set(path, await mover.inspect(path, signal));
  return disks.map(({ volume, overlay, bitmaps }) => {
    const parentPath = plan.disks.find((disk) => disk.volume === volume)?.parentPath;
    const inspected = parentPath === undefined ? undefined : found.get(parentPath);
    return {
      volume,
      trackable: overlay !== null,
      bitmap: overlay === null ? 'unreachable' : (bitmaps.get(plan.parent?.bitmap ?? '') ?? 'missing'),
      parentData:
        inspected === undefined ? 'unknown' : parentData(inspected, volume, posix.basename(parentPath ?? '')),
    };
  });
}
