import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MoverError, throwIfAborted } from './errors.ts';
import { paced, pieceBytesFor } from './pace.ts';
import { mapChain, type Stretch } from './qcow2/stretches.ts';
import { ImageTables } from './qcow2/tables.ts';
import type { Progress, ProgressMeter } from './report.ts';
import { type Chain, walkChain } from './repository/chain.ts';
import { type ImageFiles, openImage, proveSums } from './repository/open-image.ts';
import { ProvenFile } from './repository/proven-file.ts';
import { cutBatches } from './restore-batches.ts';
import { RestoreCrew } from './restore-crew.ts';
import { openTarget, type RestoreTarget } from './restore-target.ts';

export interface RestoreRequest {
  /** Any backup of the chain. */
  readonly from: string;
  readonly volume: string;
  /** A block device, or a file. */
  readonly to: string;
  /** Whether a file that is there already may lose what it holds. */
  readonly overwrite: boolean;
  readonly limitBytesPerSecond: number | undefined;
}

export interface Restored {
  readonly virtualSizeBytes: number;
  readonly chainLength: number;
  /** Read from the chain's images, tables included. */
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

const BATCH_BYTES = 8 * 1024 * 1024;
/** More do not pay on a local disk; on NFS, each is one more request under way. */
const MAX_THREADS = 4;

/**
 * Writes the disk as it was at a backup, raw, to a file or a block device. Each cluster comes from the newest image of the chain
 * that knows it, and every block is proven by its sum before it is written. A file appears under its name when it is whole.
 * @throws Fault if the chain is not whole or not what was written, TargetError if the target cannot take it
 */
export async function restoreVolume(
  request: RestoreRequest,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<Restored> {
  const { volume } = request;
  try {
    const chain = await walkChain(resolve(request.from), volume);
    await using stack = new AsyncDisposableStack();
    const files = await openChain(chain, stack, signal);
    const sizeBytes = chain.tip.record.virtualSizeBytes;
    const target = await openTarget(
      { path: resolve(request.to), sizeBytes, overwrite: request.overwrite },
      signal,
    );
    const moved = await moveChain({ files, target, request, sizeBytes, meter }, signal);
    return { virtualSizeBytes: sizeBytes, chainLength: files.length, ...moved };
  } catch (error) {
    if (error instanceof MoverError) error.volume ??= volume;
    throw error;
  }
}

/** The images of a chain, newest first, each with its sums proven. */
async function openChain(
  { tip, parents }: Chain,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<readonly ImageFiles[]> {
  const files: ImageFiles[] = [];
  for (const { directory, record } of [tip, ...parents]) {
    throwIfAborted(signal);
    const image = stack.use(await openImage(directory, record));
    await proveSums(image, record, signal);
    files.push(image);
  }
  return files;
}

interface Move {
  readonly files: readonly ImageFiles[];
  readonly target: RestoreTarget;
  readonly request: RestoreRequest;
  readonly sizeBytes: number;
  readonly meter: ProgressMeter;
}

async function moveChain(
  { files, target, request, sizeBytes, meter }: Move,
  signal: AbortSignal,
): Promise<Pick<Restored, 'bytesRead' | 'bytesWritten'>> {
  const images = files.map(({ opened }) => opened);
  const sources = images.map((image) => new ProvenFile(image));
  let bytesDone = 0;
  let bytesWritten = 0;
  let dataRead = 0;
  const bytesRead = (): number => sources.reduce((sum, source) => sum + source.bytesRead, dataRead);
  const report = (phase: Progress['phase']): void =>
    meter({
      volume: request.volume,
      phase,
      bytesDone,
      bytesTotal: sizeBytes,
      bytesRead: bytesRead(),
      bytesStored: bytesWritten,
    });
  const onMoved = (bytes: number, read: number): void => {
    bytesDone += bytes;
    bytesWritten += bytes;
    dataRead += read;
    report('restoring');
  };
  const limit = request.limitBytesPerSecond;
  const pace = paced(limit);
  const threads = limit === undefined ? Math.min(MAX_THREADS, Math.max(2, availableParallelism())) : 1;
  const cutting = {
    batchBytes: limit === undefined ? BATCH_BYTES : pieceBytesFor(limit),
    mayPartPacked: threads === 1,
  };
  const start = { images, targetFd: target.handle.fd, targetPath: target.path };
  const crew = new RestoreCrew({ threads, start, onMoved }, signal);
  try {
    report('restoring');
    const tables = sources.map((source) => new ImageTables(source));
    for (const window of mapChain(tables)) {
      const work = target.isZeroed ? window.filter(({ kind }) => kind !== 'zeros') : window;
      bytesDone += lengthOf(window) - lengthOf(work);
      for (const batch of cutBatches(work, cutting)) {
        await pace(batch.bytes, signal);
        await crew.give(batch);
      }
      // A sparse disk has many windows with nothing to give: let signals in.
      await nextTurn();
      throwIfAborted(signal);
    }
    await crew.settle();
    await crew.end();
    report('syncing');
    await target.commit();
    return { bytesRead: bytesRead(), bytesWritten };
  } catch (error) {
    await crew.end();
    await target.abandon(error);
    throw error;
  }
}

function lengthOf(stretches: readonly Stretch[]): number {
  return stretches.reduce((sum, { length }) => sum + length, 0);
}
