import type { CopyExtent } from '../domain/extents.ts';
import { throwIfAborted } from './errors.ts';
import type { NbdConnection } from './nbd/connection.ts';
import type { Pace } from './pace.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';
import type { Qcow2Writer } from './qcow2/writer.ts';
import { type SurveyPlan, survey } from './survey.ts';
import { zeroRuns } from './zero-runs.ts';

/** How far a copy has come. */
export interface CopyProgress {
  readonly bytesDone: number;
  readonly bytesRead: number;
}

export interface CopyOptions extends SurveyPlan {
  readonly pace: Pace;
  readonly onProgress: (progress: CopyProgress) => void;
}

/** Measured: 512 KiB to 1 MiB is best, 2 MiB and more halve the rate; four to eight in flight. */
const PIECE_BYTES = 1024 * 1024;
const IN_FLIGHT = 4;

/** A part of the disk on its way into the image; a `data` part is ready when the server has filled its buffer. */
interface Piece extends CopyExtent {
  readonly read: { readonly buffer: Buffer; readonly filled: Promise<void> } | null;
}

/**
 * Copies what the survey says into the image. The whole policy:
 *
 *     data   → read; what turns out to be zeros is recorded as zeros, the rest is stored
 *     zero   → recorded as zeros, never skipped: the parent's old bytes would come back
 *     clean  → left out
 *
 * Reads overlap, the image is written in order. @throws what the source or the image throws, or the signal's reason
 */
export async function copyDisk(
  source: NbdConnection,
  image: Qcow2Writer,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<CopyProgress> {
  const free: Buffer[] = Array.from({ length: IN_FLIGHT }, () => Buffer.allocUnsafeSlow(PIECE_BYTES));
  const underWay: Piece[] = [];
  let bytesRead = 0;

  const settleFirst = async (): Promise<void> => {
    const piece = underWay.shift()!;
    if (piece.read) {
      await piece.read.filled;
      throwIfAborted(signal);
      store(image, piece, piece.read.buffer);
      free.push(piece.read.buffer);
      bytesRead += piece.length;
    } else if (piece.kind === 'zero') {
      image.writeZeros(piece.offset, piece.length);
    }
    options.onProgress({ bytesDone: piece.offset + piece.length, bytesRead });
  };

  for await (const extent of survey(source, options)) {
    for (const piece of pieces(extent)) {
      throwIfAborted(signal);
      // No more parts wait than reads do, and none waits for nothing.
      while (underWay.length > 0 && (free.length === 0 || underWay[0]!.read === null)) await settleFirst();
      if (piece.kind !== 'data') {
        underWay.push({ ...piece, read: null });
        continue;
      }
      await options.pace(piece.length, signal);
      const buffer = free.pop()!;
      const filled = source.read(piece.offset, buffer.subarray(0, piece.length));
      // A failure is told when its turn comes; until then nobody listens.
      filled.catch(() => {});
      underWay.push({ ...piece, read: { buffer, filled } });
    }
  }
  while (underWay.length > 0) await settleFirst();
  return { bytesDone: source.sizeBytes, bytesRead };
}

/** Data comes in pieces of a buffer's size; what need not be read stays whole. */
function* pieces(extent: CopyExtent): Generator<CopyExtent, void, void> {
  if (extent.kind !== 'data') {
    yield extent;
    return;
  }
  const end = extent.offset + extent.length;
  for (let offset = extent.offset; offset < end; offset += PIECE_BYTES) {
    yield { offset, length: Math.min(PIECE_BYTES, end - offset), kind: 'data' };
  }
}

/** The last cluster of a disk may be cut: the image holds it filled up with zeros. */
function store(image: Qcow2Writer, piece: Piece, buffer: Buffer): void {
  const clusters = buffer.subarray(0, Math.ceil(piece.length / CLUSTER_BYTES) * CLUSTER_BYTES);
  clusters.fill(0, piece.length);
  for (const { start, end, isZero } of zeroRuns(clusters)) {
    if (isZero) image.writeZeros(piece.offset + start, end - start);
    else image.writeData(piece.offset + start, clusters.subarray(start, end));
  }
}
