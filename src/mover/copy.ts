import type { ClusterSet } from '../domain/cluster-set.ts';
import type { CopyExtent } from '../domain/extents.ts';
import { throwIfAborted } from './errors.ts';
import type { NbdConnection } from './nbd/connection.ts';
import type { Pace } from './pace.ts';
import type { Packer } from './pack/packer.ts';
import type { Qcow2Writer } from './qcow2/writer.ts';
import { Slab } from './slabs.ts';
import { storeSlab } from './store.ts';
import { survey } from './survey.ts';

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
  /** Compresses; null to store all as it is. */
  readonly packer: Packer | null;
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
  const { packer } = options;
  const slabs = SLABS + (packer?.slabs ?? 0);
  const ring = Array.from({ length: slabs }, () => new Slab(options.pieceBytes, packer !== null));
  let slab = ring[0]!;
  let turn = 0;
  let earlier: Promise<void> = Promise.resolve();
  let bytesRead = 0;

  const store = async (full: Slab, before: Promise<void>): Promise<void> => {
    // Even of one that fails, every read has ended when its slab is used again.
    for (const read of await Promise.allSettled(full.reads))
      if (read.status === 'rejected') throw read.reason;
    const sizes =
      packer &&
      (await packer.pack({ clusters: full.buffer.buffer, frames: full.frames.buffer, length: full.used }));
    await before;
    throwIfAborted(signal);
    storeSlab(image, full, sizes);
    for (const { kind, length } of full.parts) if (kind === 'data') bytesRead += length;
    const last = full.parts.at(-1);
    if (last) options.onProgress({ bytesDone: last.offset + last.length, bytesRead });
  };
  const sendOff = async (): Promise<void> => {
    earlier = store(slab, earlier);
    slab.stored = earlier.then(options.flush);
    // Heard when the slab's turn comes again.
    slab.stored.catch(() => {});
    turn = (turn + 1) % slabs;
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
          slab.note(piece);
          continue;
        }
        await options.pace(piece.length, signal);
        const filled = source.read(piece.offset, slab.makeRoom(piece));
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
