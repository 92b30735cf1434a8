/** A stretch of whole clusters (the last one of a disk may be cut) that all are, or all are not, in a set. */
export interface ClusterRun {
  readonly offset: number;
  readonly length: number;
  readonly isMarked: boolean;
}

/** Clusters whose marks fill one page of memory: with clusters of 64 KiB, those of 4 GiB in 8 KiB. */
const PAGE_CLUSTERS = 65536;

/**
 * Which clusters of a stretch of a disk are marked: one bit each, and memory only where something is. A TiB that hardly
 * changed costs nothing, one that changed everywhere 2 MiB, however its changes are scattered.
 */
export class ClusterSet {
  /** A multiple of `clusterBytes`. */
  readonly offset: number;
  readonly length: number;
  readonly #clusterBytes: number;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(offset: number, length: number, clusterBytes: number) {
    this.offset = offset;
    this.length = length;
    this.#clusterBytes = clusterBytes;
  }

  /** Marks every cluster that the range touches. What lies outside the set is cut off. */
  mark(offset: number, length: number): void {
    const start = Math.max(offset - this.offset, 0);
    const end = Math.min(offset + length - this.offset, this.length);
    if (end <= start) return;
    const until = Math.ceil(end / this.#clusterBytes);
    for (let first = Math.floor(start / this.#clusterBytes), next = first; first < until; first = next) {
      next = Math.min(until, first - (first % PAGE_CLUSTERS) + PAGE_CLUSTERS);
      setBits(this.#page(Math.floor(first / PAGE_CLUSTERS)), first % PAGE_CLUSTERS, next - first);
    }
  }

  /** All of the set as runs: in order, without a gap, neighbours differ. */
  *runs(): Generator<ClusterRun, void, void> {
    const clusters = Math.ceil(this.length / this.#clusterBytes);
    for (let first = 0, next = 0; first < clusters; first = next) {
      const isMarked = this.#has(first);
      next = first + 1;
      while (next < clusters && this.#has(next) === isMarked) next = this.#skip(next, isMarked);
      const start = first * this.#clusterBytes;
      const end = Math.min(next * this.#clusterBytes, this.length);
      yield { offset: this.offset + start, length: end - start, isMarked };
      next = Math.min(next, clusters);
    }
  }

  #page(index: number): Uint8Array {
    const page = this.#pages.get(index) ?? new Uint8Array(PAGE_CLUSTERS / 8);
    this.#pages.set(index, page);
    return page;
  }

  #has(cluster: number): boolean {
    const page = this.#pages.get(Math.floor(cluster / PAGE_CLUSTERS));
    return page !== undefined && (page[(cluster % PAGE_CLUSTERS) >>> 3]! & (1 << (cluster & 7))) !== 0;
  }

  /** The next cluster that may differ from this one: eight at a time or a page, where their marks are known to be alike. */
  #skip(cluster: number, isMarked: boolean): number {
    const at = cluster % PAGE_CLUSTERS;
    const page = this.#pages.get(Math.floor(cluster / PAGE_CLUSTERS));
    if (page === undefined) return cluster - at + PAGE_CLUSTERS;
    const isWhole = at % 8 === 0 && page[at >>> 3] === (isMarked ? 0xff : 0);
    return cluster + (isWhole ? 8 : 1);
  }
}

function setBits(page: Uint8Array, first: number, count: number): void {
  let at = first;
  const end = first + count;
  for (; at < end && at % 8 !== 0; at++) page[at >>> 3]! |= 1 << (at & 7);
  page.fill(0xff, at >>> 3, Math.max(at, end) >>> 3);
  for (at = Math.max(at, end - (end % 8)); at < end; at++) page[at >>> 3]! |= 1 << (at & 7);
}
