import { join } from 'node:path';
import type { ParentLink, VolumeRecord } from '../domain/manifest.ts';
import type { VolumeJob } from '../domain/mover-job.ts';
import { copyDisk } from './copy.ts';
import { ParentError, UsageError } from './errors.ts';
import { connectNbd, type NbdConnection } from './nbd/connection.ts';
import { BitmapNotExported, NbdRefused } from './nbd/errors.ts';
import { BASE_ALLOCATION, dirtyBitmapContext } from './nbd/protocol.ts';
import { parseNbdUri } from './nbd/uri.ts';
import type { Pace } from './pace.ts';
import { CLUSTER_BYTES, MAX_VIRTUAL_BYTES, roundUpToSector } from './qcow2/layout.ts';
import { Qcow2Writer } from './qcow2/writer.ts';
import type { ProgressMeter } from './report.ts';
import { backingPath } from './repository/chain.ts';
import { SummedFile } from './repository/summed-file.ts';
import { SUM_BLOCK_BYTES } from './repository/sums.ts';

/** What one volume's copy needs besides the job's own words. */
export interface VolumeTask {
  readonly job: VolumeJob;
  /** The directory to write into. */
  readonly incoming: string;
  /** The checked parent; null for a full. */
  readonly parent: ParentLink | null;
  readonly pace: Pace;
  readonly stallMilliseconds: number;
  readonly meter: ProgressMeter;
}

/**
 * Copies one volume: its image and its sums are on stable storage when this returns.
 * @throws NbdRefused …, BitmapNotExported, ParentError `DiskShrank`, TargetError
 */
export async function backupVolume(task: VolumeTask, signal: AbortSignal): Promise<VolumeRecord> {
  const dirtyContext = task.job.type === 'Incremental' ? dirtyBitmapContext(task.job.bitmap) : null;
  const address = parseNbdUri(task.job.source);
  const contexts = dirtyContext ? [BASE_ALLOCATION, dirtyContext] : [BASE_ALLOCATION];
  const source = await connectNbd({ address, contexts, stallMilliseconds: task.stallMilliseconds }, signal);
  try {
    if (task.job.type === 'Incremental' && !source.contexts.has(dirtyBitmapContext(task.job.bitmap))) {
      throw new BitmapNotExported(task.job.bitmap, address.exportName);
    }
    checkSize(task, source);
    return await writeImage(task, source, dirtyContext, signal);
  } finally {
    await source.close();
  }
}

async function writeImage(
  { job, incoming, parent, pace, meter }: VolumeTask,
  source: NbdConnection,
  dirtyContext: string | null,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const imageFile = `${job.name}.qcow2`;
  const sumsFile = `${job.name}.sums`;
  const virtualSizeBytes = roundUpToSector(source.sizeBytes);
  using file = SummedFile.create(join(incoming, imageFile), join(incoming, sumsFile));
  const image = new Qcow2Writer(file, {
    virtualSizeBytes,
    backingFile: parent ? backingPath(parent.id, imageFile) : null,
  });
  const onProgress = ({ bytesDone, bytesRead }: { bytesDone: number; bytesRead: number }): void =>
    meter({
      volume: job.name,
      phase: 'copying',
      bytesDone,
      bytesTotal: source.sizeBytes,
      bytesRead,
      bytesStored: file.bytes,
    });
  onProgress({ bytesDone: 0, bytesRead: 0 });
  const plan = { dirtyContext, parentSizeBytes: parent?.virtualSizeBytes ?? 0 };
  const { bytesDone, bytesRead } = await copyDisk(source, image, { ...plan, pace, onProgress }, signal);
  image.finish();
  meter({
    volume: job.name,
    phase: 'syncing',
    bytesDone,
    bytesTotal: source.sizeBytes,
    bytesRead,
    bytesStored: file.bytes,
  });
  const { sumsBytes, sumsSha256 } = await file.commit();
  return {
    name: job.name,
    type: job.type,
    reason: job.reason,
    bitmap: job.type === 'Incremental' ? job.bitmap : null,
    parent,
    virtualSizeBytes,
    ...image.totals,
    image: {
      file: imageFile,
      format: 'qcow2',
      bytes: file.bytes,
      clusterBytes: CLUSTER_BYTES,
      compression: 'none',
    },
    sums: {
      file: sumsFile,
      algorithm: 'crc32',
      blockBytes: SUM_BLOCK_BYTES,
      bytes: sumsBytes,
      sha256: sumsSha256,
    },
  };
}

/** What the source says about itself must fit the image and the parent before a byte is read. */
function checkSize({ job, parent }: VolumeTask, { sizeBytes, maximumBlockBytes }: NbdConnection): void {
  if (sizeBytes > MAX_VIRTUAL_BYTES) {
    throw new UsageError(
      'SourceTooLarge',
      `${job.source} has ${sizeBytes} bytes; an image holds at most ${MAX_VIRTUAL_BYTES}`,
    );
  }
  if (maximumBlockBytes < 1024 * 1024 && maximumBlockBytes < sizeBytes) {
    throw new NbdRefused(`${job.source} takes requests of ${maximumBlockBytes} bytes only; 1 MiB is needed`);
  }
  if (parent && roundUpToSector(sizeBytes) < parent.virtualSizeBytes) {
    throw new ParentError(
      'DiskShrank',
      `volume ${job.name} has ${sizeBytes} bytes, its parent ${parent.virtualSizeBytes}: a disk that shrank needs a full`,
    );
  }
}
