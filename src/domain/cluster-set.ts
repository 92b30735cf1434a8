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
  readonly #pages = new Map<number, Uint32Array>();

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
    let first = 0;
    let isMarked = findOther(this.#pages.get(0), 0, true) !== 0;
    for (let at = 0; at < clusters; ) {
      const start = at - (at % PAGE_CLUSTERS);
      const page = this.#pages.get(start / PAGE_CLUSTERS);
      at = Math.min(start + findOther(page, at - start, isMarked), clusters);
      // At the end of a page the run may go on in the next one.
      if (at < clusters && this.#isMarked(at) === isMarked) continue;
      yield this.#run(first, at, isMarked);
      first = at;
      isMarked = !isMarked;
    }
  }

  #isMarked(cluster: number): boolean {
    const at = cluster % PAGE_CLUSTERS;
    return findOther(this.#pages.get((cluster - at) / PAGE_CLUSTERS), at, true) !== at;
  }

  #run(first: number, next: number, isMarked: boolean): ClusterRun {
    const start = first * this.#clusterBytes;
    const end = Math.min(next * this.#clusterBytes, this.length);
    return { offset: this.offset + start, length: end - start, isMarked };
  }

  #page(index: number): Uint32Array {
    const page = this.#pages.get(index) ?? new Uint32Array(PAGE_CLUSTERS / 32);
    this.#pages.set(index, page);
    return page;
  }
}

/** The first cluster of a page, from `from` on, that is not as `isMarked` says; `PAGE_CLUSTERS` if all are. */
function findOther(page: Uint32Array | undefined, from: number, isMarked: boolean): number {
  if (!page) return isMarked ? from : PAGE_CLUSTERS;
  const alike = isMarked ? 0xffffffff : 0;
  for (let at = from; at < PAGE_CLUSTERS; ) {
    const word = page[at >>> 5]!;
    // Thirty-two at once, where they are alike: most of a large disk is.
    if (at % 32 === 0 && word === alike) at += 32;
    else if (((word & (1 << (at & 31))) !== 0) !== isMarked) return at;
    else at++;
  }
  return PAGE_CLUSTERS;
}

function setBits(page: Uint32Array, first: number, count: number): void {
  const end = first + count;
  let at = first;
  for (; at < end && at % 32 !== 0; at++) page[at >>> 5]! |= 1 << (at & 31);
  page.fill(0xffffffff, at >>> 5, Math.max(at, end) >>> 5);
  for (at = Math.max(at, end - (end % 32)); at < end; at++) page[at >>> 5]! |= 1 << (at & 31);
}
