import type { ClusterSet } from '../domain/cluster-set.ts';
import type { CopyExtent } from '../domain/extents.ts';
import { throwIfAborted } from './errors.ts';
import type { NbdConnection } from './nbd/connection.ts';
import type { Pace } from './pace.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';
import type { Qcow2Writer } from './qcow2/writer.ts';
import { type Part, Slab } from './slabs.ts';
import { survey } from './survey.ts';
import { zeroRuns } from './zero-runs.ts';

/** How far a copy has come. */
export interface CopyProgress {
  readonly bytesDone: number;
  readonly bytesRead: number;
}

export interface CopyOptions {
  /** What an incremental must look at; null for a full. */
  readonly changed: ClusterSet | null;
  readonly pace: Pace;
  /** The largest read, whole clusters. Measured: 512 KiB to 1 MiB is best, 2 MiB and more halve the rate. */
  readonly pieceBytes: number;
  /** Brings to the file what the image was given; then its bytes may change. */
  readonly flush: () => Promise<void>;
  readonly onProgress: (progress: CopyProgress) => void;
}

/** Four reads under way keep the server busy; two more slabs are being written or wait for it. */
const SLABS = 6;

/**
 * Copies what the survey says into the image. The whole policy:
 *
 *     data   → read; what turns out to be zeros is recorded as zeros, the rest is stored
 *     zero   → recorded as zeros, never skipped: the parent's old bytes would come back
 *     clean  → left out
 *
 * Slabs go round in a ring. Reads overlap, and so do reading, writing and summing; the image is written in order.
 *
 *     survey ──▶ slab 0: reads under way ──▶ slab 5: all read, into the image ──▶ slab 4: being written ──▶ slab 3: free
 *
 * @throws what the source or the image throws, or the signal's reason
 */
export async function copyDisk(
  source: NbdConnection,
  image: Qcow2Writer,
  options: CopyOptions,
  signal: AbortSignal,
): Promise<CopyProgress> {
  const ring = Array.from({ length: SLABS }, () => new Slab(options.pieceBytes));
  let slab = ring[0]!;
  let turn = 0;
  let earlier: Promise<void> = Promise.resolve();
  let bytesRead = 0;

  const store = async (full: Slab, before: Promise<void>): Promise<void> => {
    // Even of one that fails, every read has ended when its slab is used again.
    for (const read of await Promise.allSettled(full.reads))
      if (read.status === 'rejected') throw read.reason;
    await before;
    throwIfAborted(signal);
    for (const part of full.parts) {
      storePart(image, part, full.buffer);
      if (part.kind === 'data') bytesRead += part.length;
    }
    const last = full.parts.at(-1);
    if (last) options.onProgress({ bytesDone: last.offset + last.length, bytesRead });
  };
  const sendOff = async (): Promise<void> => {
    earlier = store(slab, earlier);
    slab.stored = earlier.then(options.flush);
    // Heard when the slab's turn comes again.
    slab.stored.catch(() => {});
    turn = (turn + 1) % SLABS;
    slab = ring[turn]!;
    await slab.stored;
    slab.empty();
  };

  try {
    for await (const extent of survey(source, options.changed)) {
      for (let left: CopyExtent = extent; left.length > 0; ) {
        throwIfAborted(signal);
        if (slab.isFull) await sendOff();
        const [piece, rest] =
          left.kind === 'data' ? cut(left, slab.freeBytes) : [left, { ...left, length: 0 }];
        left = rest;
        if (piece.kind !== 'data') {
          slab.add(piece, 0);
          continue;
        }
        await options.pace(piece.length, signal);
        const { at } = slab.add(piece, Math.ceil(piece.length / CLUSTER_BYTES) * CLUSTER_BYTES);
        const filled = source.read(piece.offset, slab.buffer.subarray(at, at + piece.length));
        filled.catch(() => {});
        slab.reads.push(filled);
      }
    }
    await sendOff();
    for (const { stored } of ring) await stored;
  } finally {
    await Promise.allSettled(ring.map(({ stored }) => stored));
  }
  return { bytesDone: source.sizeBytes, bytesRead };
}

/** As much as there is room for, and the rest. */
function cut(extent: CopyExtent, room: number): [piece: CopyExtent, rest: CopyExtent] {
  const length = Math.min(extent.length, room);
  return [
    { ...extent, length },
    { ...extent, offset: extent.offset + length, length: extent.length - length },
  ];
}

/** The last cluster of a disk may be cut: the image holds it filled up with zeros. */
function storePart(image: Qcow2Writer, { kind, offset, length, at }: Part, buffer: Buffer): void {
  if (kind === 'clean') return;
  if (kind === 'zero') return image.writeZeros(offset, length);
  const clusters = buffer.subarray(at, at + Math.ceil(length / CLUSTER_BYTES) * CLUSTER_BYTES);
  clusters.fill(0, length);
  for (const { start, end, isZero } of zeroRuns(clusters)) {
    if (isZero) image.writeZeros(offset + start, end - start);
    else image.writeData(offset + start, clusters.subarray(start, end));
  }
}
