import { join } from 'node:path';
import type { ClusterSet } from '../domain/cluster-set.ts';
import type { ParentLink, VolumeRecord } from '../domain/manifest.ts';
import type { VolumeJob } from '../domain/mover-job.ts';
import { copyDisk } from './copy.ts';
import { ParentError, UsageError } from './errors.ts';
import { connectNbd, type NbdConnection } from './nbd/connection.ts';
import { BitmapNotExported, NbdProtocolError } from './nbd/errors.ts';
import { BASE_ALLOCATION, dirtyBitmapContext } from './nbd/protocol.ts';
import { parseNbdUri } from './nbd/uri.ts';
import type { Pace } from './pace.ts';
import type { Packer } from './pack/packer.ts';
import { CLUSTER_BYTES, MAX_VIRTUAL_BYTES, roundUpToSector } from './qcow2/layout.ts';
import { Qcow2Writer } from './qcow2/writer.ts';
import type { ProgressMeter } from './report.ts';
import { backingPath } from './repository/chain.ts';
import { SummedFile } from './repository/summed-file.ts';
import { SUM_BLOCK_BYTES } from './repository/sums.ts';
import { changedClusters } from './survey.ts';

/** What one volume's copy needs besides the job's own words. */
export interface VolumeTask {
  readonly job: VolumeJob;
  /** The directory to write into. */
  readonly incoming: string;
  /** The checked parent; null for a full. */
  readonly parent: ParentLink | null;
  readonly pace: Pace;
  /** The largest read, in whole clusters. */
  readonly pieceBytes: number;
  /** Compresses what is stored; null for none. */
  readonly packer: Packer | null;
  readonly stallMilliseconds: number;
  readonly meter: ProgressMeter;
}

/**
 * Copies one volume: its image and its sums are on stable storage when this returns.
 * @throws NbdRefused …, BitmapNotExported, ParentError `DiskShrank`, TargetError
 */
export async function backupVolume(task: VolumeTask, signal: AbortSignal): Promise<VolumeRecord> {
  const changed = await whatChanged(task, signal);
  const source = await open(task, BASE_ALLOCATION, signal);
  try {
    if (changed && changed.length !== source.sizeBytes)
      throw new NbdProtocolError('it tells two sizes of one disk');
    checkSize(task, source);
    return await writeImage(task, source, changed, signal);
  } finally {
    await source.close();
  }
}

/**
 * What the bitmap says, by a connection of its own: on one that has both contexts, a server looks up the allocation of the whole
 * disk whenever it is asked for the bitmap. One after the other, because a server may take one client at a time.
 */
async function whatChanged(task: VolumeTask, signal: AbortSignal): Promise<ClusterSet | null> {
  const { job, parent } = task;
  if (job.type === 'Full') return null;
  const context = dirtyBitmapContext(job.bitmap);
  const source = await open(task, context, signal);
  try {
    if (!source.contexts.has(context))
      throw new BitmapNotExported(job.bitmap, parseNbdUri(job.source).exportName);
    checkSize(task, source);
    return await changedClusters(source, context, parent?.virtualSizeBytes ?? 0);
  } finally {
    await source.close();
  }
}

async function open(
  { job, stallMilliseconds }: VolumeTask,
  context: string,
  signal: AbortSignal,
): Promise<NbdConnection> {
  const address = parseNbdUri(job.source);
  return await connectNbd({ address, contexts: [context], stallMilliseconds }, signal);
}

async function writeImage(
  { job, incoming, parent, pace, pieceBytes, packer, meter }: VolumeTask,
  source: NbdConnection,
  changed: ClusterSet | null,
  signal: AbortSignal,
): Promise<VolumeRecord> {
  const imageFile = `${job.name}.qcow2`;
  const sumsFile = `${job.name}.sums`;
  const compression = packer ? 'zstd' : 'none';
  const virtualSizeBytes = roundUpToSector(source.sizeBytes);
  await using file = SummedFile.create(join(incoming, imageFile), join(incoming, sumsFile));
  const image = new Qcow2Writer(file, {
    virtualSizeBytes,
    backingFile: parent ? backingPath(parent.id, imageFile) : null,
    compression,
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
  const flush = async (): Promise<void> => await file.flush();
  const options = { changed, pace, pieceBytes, packer, flush, onProgress };
  const { bytesDone, bytesRead } = await copyDisk(source, image, options, signal);
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
      compression,
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
function checkSize({ job, parent }: VolumeTask, { sizeBytes }: NbdConnection): void {
  if (sizeBytes > MAX_VIRTUAL_BYTES) {
    throw new UsageError(
      'SourceTooLarge',
      `${job.source} has ${sizeBytes} bytes; an image holds at most ${MAX_VIRTUAL_BYTES}`,
    );
  }
  if (parent && roundUpToSector(sizeBytes) < parent.virtualSizeBytes) {
    throw new ParentError(
      'DiskShrank',
      `volume ${job.name} has ${sizeBytes} bytes, its parent ${parent.virtualSizeBytes}: a disk that shrank needs a full`,
    );
  }
}
