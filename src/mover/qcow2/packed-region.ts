import { CLUSTER_BYTES, writePackedEntry } from './layout.ts';

/** Larger regions waste less at their ends (half a cluster each), and take more memory. */
const REGION_BYTES = 4 * 1024 * 1024;
const SECTOR_BYTES = 512;

interface Frame {
  readonly table: Buffer;
  readonly index: number;
  /** Where it begins in the region, and its length, in bytes. */
  readonly at: number;
  readonly length: number;
}

/**
 * Compressed clusters gathered one right after another, until they are many enough to become whole clusters of the file:
 *
 *     clusters of the file   |          0          |          1          |          2          |
 *     frames                 aaaaaabbbbbbbbbcccccccccccddddeeeeeeeeeeeeeeeeeeffffffffffff0000000
 *     refcounts                        3                     4                      2
 *
 * QEMU counts, for each cluster of the file, the frames that have a sector of 512 bytes in it.
 */
export class PackedRegion {
  #bytes: Buffer | null = null;
  /** Regions that are written: their memory is used again, because new memory costs more than what goes into it. */
  readonly #free: Buffer[] = [];
  #used = 0;
  #frames: Frame[] = [];

  get isEmpty(): boolean {
    return this.#frames.length === 0;
  }

  hasRoomFor(frame: Buffer): boolean {
    return this.#used + frame.length <= REGION_BYTES;
  }

  /** Copies a frame in. Its table's entry is written when the region's place is known. */
  add(frame: Buffer, table: Buffer, index: number): void {
    this.#bytes ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(REGION_BYTES);
    frame.copy(this.#bytes, this.#used);
    this.#frames.push({ table, index, at: this.#used, length: frame.length });
    this.#used += frame.length;
  }

  /**
   * Hands over what was gathered, and begins anew.
   * @param append puts the clusters at the file's end, with their refcounts, and gives the offset they begin at
   */
  close(append: (clusters: Buffer, refcounts: readonly number[], onWritten: () => void) => number): void {
    const bytes = this.#bytes;
    if (!bytes) return;
    const end = Math.ceil(this.#used / CLUSTER_BYTES) * CLUSTER_BYTES;
    const clusters = bytes.subarray(0, end).fill(0, this.#used);
    const refcounts = Array.from({ length: end / CLUSTER_BYTES }, () => 0);
    for (const { at, length } of this.#frames) {
      const first = Math.floor(at / CLUSTER_BYTES);
      const last = Math.floor((at + length - 1) / CLUSTER_BYTES);
      for (let i = first; i <= last; i++) refcounts[i]!++;
    }
    const host = append(clusters, refcounts, () => this.#free.push(bytes));
    for (const { table, index, at, length } of this.#frames) {
      const begin = Math.floor((host + at) / SECTOR_BYTES);
      const sectors = Math.floor((host + at + length - 1) / SECTOR_BYTES) - begin;
      writePackedEntry(table, index, host + at, sectors);
    }
    this.#bytes = null;
    this.#used = 0;
    this.#frames = [];
  }
}
