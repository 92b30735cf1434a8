import type { BlockSource } from './qcow2/block-source.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';
import { unpackCluster } from './qcow2/packed-cluster.ts';
import type { Stretch } from './qcow2/stretches.ts';

type Plain = Extract<Stretch, { kind: 'plain' }>;
type Packed = Extract<Stretch, { kind: 'packed' }>;

/** Where a restore goes: writes all of the bytes at an offset of the disk. */
export type WriteAt = (bytes: Buffer, offset: number) => void;

/** Measured: 128 KiB to 256 KiB stay in the cache of a core between the read, the sum and the write. */
const PIECE_BYTES = 256 * 1024;
const PIECE_BLOCKS = PIECE_BYTES / CLUSTER_BYTES;
/** What the blocks of such a run may take: an entry counts up to 256 sectors, and gaps are less than a block. */
const MAX_STORED_BYTES = (PIECE_BLOCKS * 3 + 2) * CLUSTER_BYTES;
/** Compressed clusters end in the middle of a block, and the next begins there: so many images keep their last block. */
const MAX_CARRIED = 256;

/** Moves stretches of a disk from proven blocks to a target, each block read once. Memory: a few MiB. */
export class PieceMover {
  readonly #sources: readonly BlockSource[];
  readonly #write: WriteAt;
  readonly #piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  readonly #zeros = Buffer.alloc(PIECE_BYTES);
  readonly #stored = Buffer.allocUnsafeSlow(MAX_STORED_BYTES);
  /** Image → the last block that a compressed cluster was read from. */
  readonly #carried = new Map<number, { readonly block: number; readonly bytes: Buffer }>();

  constructor(sources: readonly BlockSource[], write: WriteAt) {
    this.#sources = sources;
    this.#write = write;
  }

  /** Yields the guest bytes moved after each piece, so that the caller can count, wait or stop. @throws Fault, or what `write` throws */
  *move(stretches: readonly Stretch[]): Generator<number, void, void> {
    for (let i = 0; i < stretches.length; ) {
      const stretch = stretches[i]!;
      if (stretch.kind === 'packed') {
        const run = packedRun(stretches, i);
        yield this.#movePacked(run);
        i += run.length;
      } else {
        yield* stretch.kind === 'plain' ? this.#movePlain(stretch) : this.#moveZeros(stretch);
        i++;
      }
    }
  }

  *#movePlain({ image, host, offset, length }: Plain): Generator<number, void, void> {
    const source = this.#sources[image]!;
    for (let done = 0; done < length; done += PIECE_BYTES) {
      const some = Math.min(PIECE_BYTES, length - done);
      source.readBlocks((host + done) / CLUSTER_BYTES, Math.ceil(some / CLUSTER_BYTES), this.#piece);
      this.#write(this.#piece.subarray(0, some), offset + done);
      yield some;
    }
  }

  *#moveZeros({ offset, length }: Stretch): Generator<number, void, void> {
    for (let done = 0; done < length; done += PIECE_BYTES) {
      const some = Math.min(PIECE_BYTES, length - done);
      this.#write(this.#zeros.subarray(0, some), offset + done);
      yield some;
    }
  }

  #movePacked(run: readonly Packed[]): number {
    const { image, offset } = run[0]!;
    const last = run.at(-1)!;
    const firstBlock = Math.floor(run[0]!.host / CLUSTER_BYTES);
    const blocks = this.#blocks(image, firstBlock, Math.ceil((last.host + last.storedBytes) / CLUSTER_BYTES));
    for (const { host, storedBytes, offset: at, length } of run) {
      const from = host - firstBlock * CLUSTER_BYTES;
      const cluster = unpackCluster(blocks.subarray(from, from + storedBytes));
      if (typeof cluster === 'string') throw this.#sources[image]!.damaged(cluster);
      cluster.copy(this.#piece, at - offset, 0, length);
    }
    const moved = last.offset + last.length - offset;
    this.#write(this.#piece.subarray(0, moved), offset);
    return moved;
  }

  /** Blocks [first, end) of an image; the first may be at hand, and the last is kept. */
  #blocks(image: number, first: number, end: number): Buffer {
    const source = this.#sources[image]!;
    const bytes = Math.min(end * CLUSTER_BYTES, source.bytes) - first * CLUSTER_BYTES;
    const blocks = this.#stored.subarray(0, bytes);
    const carried = this.#carried.get(image);
    const known = carried?.block === first ? 1 : 0;
    if (known === 1) carried!.bytes.copy(blocks);
    if (first + known < end)
      source.readBlocks(first + known, end - first - known, blocks.subarray(known * CLUSTER_BYTES));
    const keep = (end - 1 - first) * CLUSTER_BYTES;
    this.#carried.delete(image);
    this.#carried.set(image, { block: end - 1, bytes: Buffer.from(blocks.subarray(keep)) });
    if (this.#carried.size > MAX_CARRIED) this.#carried.delete(this.#carried.keys().next().value!);
    return blocks;
  }
}

/** Compressed clusters that follow each other in the disk and lie close together in one image: one read, one write. */
function packedRun(stretches: readonly Stretch[], start: number): readonly Packed[] {
  const run: Packed[] = [];
  for (let i = start; i < stretches.length && run.length < PIECE_BLOCKS; i++) {
    const next = stretches[i]!;
    const last = run.at(-1);
    if (next.kind !== 'packed') break;
    if (last) {
      const follows = next.image === last.image && next.offset === last.offset + last.length;
      const gap = next.host - (last.host + last.storedBytes);
      // Stored bytes reach to the end of a sector, where the next cluster may begin: a small step back is no disorder.
      if (!follows || gap < -512 || gap >= CLUSTER_BYTES || next.host < last.host) break;
    }
    run.push(next);
  }
  return run;
}
