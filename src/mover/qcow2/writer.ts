import { encodeHeader } from './header.ts';
import {
  CLUSTER_BITS,
  CLUSTER_BYTES,
  COPIED_HIGH,
  L2_SPAN_BYTES,
  REFCOUNTS_PER_BLOCK,
  TABLE_ENTRIES,
  writeEntry,
  ZERO_LOW,
} from './layout.ts';

/** Where an image goes: an append-only file of whole clusters, whose first cluster is kept free for the header. */
export interface ClusterSink {
  /** Takes whole clusters, to stand after the last ones, and gives the offset they begin at. They must not change any more. */
  append(clusters: Buffer): number;
  /** Fills the first cluster, last of all. */
  setFirst(cluster: Buffer): void;
}

export interface ImageShape {
  /** A multiple of 512. */
  readonly virtualSizeBytes: number;
  /** Path of the parent image, relative to this image's directory; null for a full. */
  readonly backingFile: string | null;
}

/** Guest bytes recorded so far, in whole clusters. */
export interface ImageTotals {
  readonly dataBytes: number;
  readonly zeroBytes: number;
}

/**
 * Writes one qcow2 image from front to end (layout.ts draws it). Calls must come in rising order of guest offsets, all of them
 * multiples of a cluster. What is never mentioned stays unallocated: zeros in a full, the parent's bytes in an incremental.
 */
export class Qcow2Writer {
  readonly #sink: ClusterSink;
  readonly #shape: ImageShape;
  readonly #l1: Buffer;
  #l2 = Buffer.alloc(CLUSTER_BYTES);
  #l2Index = -1;
  #nextCluster = 0;
  #dataClusters = 0;
  #zeroClusters = 0;

  constructor(sink: ClusterSink, shape: ImageShape) {
    this.#sink = sink;
    this.#shape = shape;
    const l1Entries = Math.ceil(shape.virtualSizeBytes / L2_SPAN_BYTES);
    this.#l1 = Buffer.alloc(Math.max(1, Math.ceil(l1Entries / TABLE_ENTRIES)) * CLUSTER_BYTES);
  }

  get totals(): ImageTotals {
    return { dataBytes: this.#dataClusters * CLUSTER_BYTES, zeroBytes: this.#zeroClusters * CLUSTER_BYTES };
  }

  /** Stores whole clusters as they are. The last cluster of a disk comes filled up with zeros. */
  writeData(offset: number, clusters: Buffer): void {
    this.#eachTable(offset, clusters.length, (first, count, done) => {
      const from = done * CLUSTER_BYTES;
      const host = this.#sink.append(clusters.subarray(from, from + count * CLUSTER_BYTES));
      for (let i = 0; i < count; i++)
        writeEntry(this.#l2, first + i, host + i * CLUSTER_BYTES, COPIED_HIGH, 0);
      this.#dataClusters += count;
    });
  }

  /** Records that clusters read as zeros, so that the parent's old bytes do not show through. Nothing to do in a full. */
  writeZeros(offset: number, length: number): void {
    if (this.#shape.backingFile === null) return;
    this.#eachTable(offset, length, (first, count) => {
      for (let i = 0; i < count; i++) writeEntry(this.#l2, first + i, 0, 0, ZERO_LOW);
      this.#zeroClusters += count;
    });
  }

  /** Writes what is left of the tables, and the header. The image is complete when this returns. */
  finish(): void {
    this.#flushL2();
    const l1Offset = this.#sink.append(this.#l1);
    const refcounts = this.#appendRefcounts(l1Offset + this.#l1.length);
    const { virtualSizeBytes, backingFile } = this.#shape;
    const l1Entries = Math.ceil(virtualSizeBytes / L2_SPAN_BYTES);
    this.#sink.setFirst(
      encodeHeader({
        virtualSizeBytes,
        backingFile,
        clusterBits: CLUSTER_BITS,
        l1Entries,
        l1Offset,
        ...refcounts,
      }),
    );
  }

  /** Cuts a range where one L2 table ends and the next begins. */
  #eachTable(
    offset: number,
    length: number,
    write: (firstEntry: number, count: number, done: number) => void,
  ): void {
    const first = offset / CLUSTER_BYTES;
    const count = Math.ceil(length / CLUSTER_BYTES);
    if (!Number.isInteger(first) || first < this.#nextCluster)
      throw new RangeError(`guest offset ${offset} is out of order`);
    for (let done = 0; done < count; ) {
      const entry = (first + done) % TABLE_ENTRIES;
      const step = Math.min(count - done, TABLE_ENTRIES - entry);
      this.#enterL2(Math.floor((first + done) / TABLE_ENTRIES));
      write(entry, step, done);
      done += step;
    }
    this.#nextCluster = first + count;
  }

  #enterL2(index: number): void {
    if (index === this.#l2Index) return;
    this.#flushL2();
    this.#l2Index = index;
  }

  #flushL2(): void {
    if (this.#l2Index < 0) return;
    writeEntry(this.#l1, this.#l2Index, this.#sink.append(this.#l2), COPIED_HIGH, 0);
    // The sink has taken this one.
    this.#l2 = Buffer.alloc(CLUSTER_BYTES);
    this.#l2Index = -1;
  }

  /** Refcount blocks and their table count themselves too: find how many it takes, then every cluster has refcount 1. */
  #appendRefcounts(usedBytes: number): { refcountTableOffset: number; refcountTableClusters: number } {
    const used = usedBytes / CLUSTER_BYTES;
    let blocks = 1;
    let tables = 1;
    while (used + blocks + tables > blocks * REFCOUNTS_PER_BLOCK || blocks > tables * TABLE_ENTRIES) {
      if (blocks > tables * TABLE_ENTRIES) tables++;
      else blocks++;
    }
    const total = used + blocks + tables;
    const table = Buffer.alloc(tables * CLUSTER_BYTES);
    for (let i = 0; i < blocks; i++) {
      const block = Buffer.alloc(CLUSTER_BYTES);
      const counted = Math.min(REFCOUNTS_PER_BLOCK, total - i * REFCOUNTS_PER_BLOCK);
      for (let j = 0; j < counted; j++) block.writeUInt16BE(1, j * 2);
      writeEntry(table, i, this.#sink.append(block), 0, 0);
    }
    return { refcountTableOffset: this.#sink.append(table), refcountTableClusters: tables };
  }
}
