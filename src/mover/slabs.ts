import type { CopyExtent } from '../domain/extents.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';

/** A part of the disk in a slab. `at`: where its bytes lie in the slab's buffer. What need not be read has none. */
export interface Part extends CopyExtent {
  readonly at: number;
  /** Its length in the buffer, in whole clusters: the last one of a disk may be cut. */
  readonly storedLength: number;
}

/** Beyond so many parts a slab is full, whatever its buffer holds: memory stays bounded. */
const MAX_PARTS = 1024;
/** A stretch that need not be read and is so long fills a slab, so that progress is told. */
const LONG_BYTES = 1024 * 1024 * 1024;

/**
 * Consecutive parts of the disk that travel together: the data parts one after another in one buffer, so that a thousand small
 * changes are as few writes as a few large ones.
 */
export class Slab {
  /** Shared with the threads that compress, as is the room for what they make of it. */
  readonly buffer: Buffer<SharedArrayBuffer>;
  readonly frames: Buffer<SharedArrayBuffer>;
  parts: Part[] = [];
  /** The reads that fill the buffer. */
  reads: Promise<void>[] = [];
  used = 0;
  /** Settles when all of it is in the image's file, and the buffer is free again. */
  stored: Promise<void> = Promise.resolve();

  constructor(bytes: number, isPacked: boolean) {
    this.buffer = Buffer.from(new SharedArrayBuffer(bytes));
    this.frames = Buffer.from(new SharedArrayBuffer(isPacked ? bytes : 0));
  }

  get isFull(): boolean {
    const last = this.parts.at(-1);
    const isLong = last !== undefined && last.kind !== 'data' && last.length >= LONG_BYTES;
    return this.used === this.buffer.length || this.parts.length >= MAX_PARTS || isLong;
  }

  get freeBytes(): number {
    return this.buffer.length - this.used;
  }

  /** Takes what need not be read. */
  note(extent: CopyExtent): void {
    this.parts.push({ ...extent, at: 0, storedLength: 0 });
  }

  /** Takes data, and gives the place for its bytes. What follows it up to a whole cluster is zeros. */
  makeRoom(extent: CopyExtent): Buffer {
    const storedLength = Math.ceil(extent.length / CLUSTER_BYTES) * CLUSTER_BYTES;
    const at = this.used;
    this.parts.push({ ...extent, at, storedLength });
    this.used += storedLength;
    this.buffer.fill(0, at + extent.length, this.used);
    return this.buffer.subarray(at, at + extent.length);
  }

  empty(): void {
    this.parts = [];
    this.reads = [];
    this.used = 0;
  }
}
