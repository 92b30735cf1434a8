import { encodeHeader } from './header.ts';
import {
  CLUSTER_BITS,
  CLUSTER_BYTES,
  COPIED_HIGH,
  L2_SPAN_BYTES,
  TABLE_ENTRIES,
  writeEntry,
  ZERO_LOW,
} from './layout.ts';
import { PackedRegion } from './packed-region.ts';
import { Refcounts } from './refcounts.ts';

/** Where an image goes: an append-only file of whole clusters, whose first cluster is kept free for the header. */
export interface ClusterSink {
  /**
   * Takes whole clusters, to stand after the last ones, and gives the offset they begin at. They must not change any more before
   * `onWritten`, which tells that they are free again.
   */
  append(clusters: Buffer, onWritten?: () => void): number;
  /** Fills the first cluster, last of all. */
  setFirst(cluster: Buffer): void;
}

export interface ImageShape {
  /** A multiple of 512. */
  readonly virtualSizeBytes: number;
  /** Path of the parent image, relative to this image's directory; null for a full. */
  readonly backingFile: string | null;
  /** Whether clusters may come compressed: such an image is not for QEMU before 5.1. */
  readonly compression: 'none' | 'zstd';
}

/** Guest bytes recorded so far, in whole clusters. */
export interface ImageTotals {
  readonly dataBytes: number;
  readonly zeroBytes: number;
}

/** An L2 table in memory, and the number of the L1 entry that will name it. */
interface Table {
  readonly index: number;
  readonly entries: Buffer;
}

/** So many tables wait for a region of compressed clusters at most: scattered changes of a large disk fill it from all over. */
const MAX_WAITING_TABLES = 64;

/**
 * Writes one qcow2 image from front to end (layout.ts draws it). Calls must come in rising order of guest offsets, all of them
 * multiples of a cluster. What is never mentioned stays unallocated: zeros in a full, the parent's bytes in an incremental.
 */
export class Qcow2Writer {
  readonly #sink: ClusterSink;
  readonly #shape: ImageShape;
  readonly #l1: Buffer;
  readonly #refcounts: Refcounts;
  readonly #region = new PackedRegion();
  #table: Table | null = null;
  /** Complete but for the places of compressed clusters, which their region does not know yet. */
  #waiting: Table[] = [];
  /** Tables that are written: their memory is used again. */
  readonly #free: Buffer[] = [];
  #nextCluster = 0;
  #dataClusters = 0;
  #zeroClusters = 0;

  constructor(sink: ClusterSink, shape: ImageShape) {
    this.#sink = sink;
    this.#shape = shape;
    this.#refcounts = new Refcounts((clusters) => sink.append(clusters));
    const l1Entries = Math.ceil(shape.virtualSizeBytes / L2_SPAN_BYTES);
    this.#l1 = Buffer.alloc(Math.max(1, Math.ceil(l1Entries / TABLE_ENTRIES)) * CLUSTER_BYTES);
  }

  get totals(): ImageTotals {
    return { dataBytes: this.#dataClusters * CLUSTER_BYTES, zeroBytes: this.#zeroClusters * CLUSTER_BYTES };
  }

  /** Stores whole clusters as they are. The last cluster of a disk comes filled up with zeros. */
  writeData(offset: number, clusters: Buffer): void {
    this.#eachTable(offset, clusters.length, ({ entries }, first, count, done) => {
      const from = done * CLUSTER_BYTES;
      const host = this.#append(clusters.subarray(from, from + count * CLUSTER_BYTES));
      for (let i = 0; i < count; i++)
        writeEntry(entries, first + i, host + i * CLUSTER_BYTES, COPIED_HIGH, 0);
      this.#dataClusters += count;
    });
  }

  /** Stores one cluster as the zstd frame it was compressed to. The frame is copied. */
  writePacked(offset: number, frame: Buffer): void {
    this.#eachTable(offset, CLUSTER_BYTES, ({ entries }, first) => {
      if (!this.#region.hasRoomFor(frame)) this.#closeRegion();
      this.#region.add(frame, entries, first);
      this.#dataClusters++;
    });
  }

  /** Records that clusters read as zeros, so that the parent's old bytes do not show through. Nothing to do in a full. */
  writeZeros(offset: number, length: number): void {
    if (this.#shape.backingFile === null) return;
    this.#eachTable(offset, length, ({ entries }, first, count) => {
      for (let i = 0; i < count; i++) writeEntry(entries, first + i, 0, 0, ZERO_LOW);
      this.#zeroClusters += count;
    });
  }

  /** Writes what is left of the tables, and the header. The image is complete when this returns. */
  finish(): void {
    this.#leaveTable();
    this.#closeRegion();
    const l1Offset = this.#append(this.#l1);
    const { virtualSizeBytes, backingFile, compression } = this.#shape;
    this.#sink.setFirst(
      encodeHeader({
        virtualSizeBytes,
        backingFile,
        compression,
        clusterBits: CLUSTER_BITS,
        l1Entries: Math.ceil(virtualSizeBytes / L2_SPAN_BYTES),
        l1Offset,
        ...this.#refcounts.finish(),
      }),
    );
  }

  /** Cuts a range where one L2 table ends and the next begins. */
  #eachTable(
    offset: number,
    length: number,
    write: (table: Table, firstEntry: number, count: number, done: number) => void,
  ): void {
    const first = offset / CLUSTER_BYTES;
    const count = Math.ceil(length / CLUSTER_BYTES);
    if (!Number.isInteger(first) || first < this.#nextCluster)
      throw new RangeError(`guest offset ${offset} is out of order`);
    for (let done = 0; done < count; ) {
      const entry = (first + done) % TABLE_ENTRIES;
      const step = Math.min(count - done, TABLE_ENTRIES - entry);
      write(this.#enterTable(Math.floor((first + done) / TABLE_ENTRIES)), entry, step, done);
      done += step;
    }
    this.#nextCluster = first + count;
  }

  #enterTable(index: number): Table {
    if (this.#table?.index === index) return this.#table;
    this.#leaveTable();
    this.#table = { index, entries: this.#free.pop()?.fill(0) ?? Buffer.alloc(CLUSTER_BYTES) };
    return this.#table;
  }

  #leaveTable(): void {
    if (!this.#table) return;
    this.#waiting.push(this.#table);
    this.#table = null;
    if (this.#region.isEmpty) this.#appendTables();
    else if (this.#waiting.length >= MAX_WAITING_TABLES) this.#closeRegion();
  }

  #closeRegion(): void {
    this.#region.close((clusters, refcounts, onWritten) => this.#append(clusters, refcounts, onWritten));
    this.#appendTables();
  }

  #appendTables(): void {
    for (const { index, entries } of this.#waiting.splice(0)) {
      const host = this.#append(entries, [1], () => this.#free.push(entries));
      writeEntry(this.#l1, index, host, COPIED_HIGH, 0);
    }
  }

  #append(
    clusters: Buffer,
    refcounts: readonly number[] = Array.from({ length: clusters.length / CLUSTER_BYTES }, () => 1),
    onWritten?: () => void,
  ): number {
    const host = this.#sink.append(clusters, onWritten);
    this.#refcounts.add(refcounts);
    return host;
  }
}
