import type { CopyExtent } from '../domain/extents.ts';

/** A part of the disk in a slab. `at`: where its bytes lie in the slab's buffer; what need not be read has none. */
export interface Part extends CopyExtent {
  readonly at: number;
}

/** Beyond so many parts a slab is full, whatever its buffer holds: memory stays bounded. */
const MAX_PARTS = 1024;
/** A stretch that need not be read and is so long counts as a slab of its own, so that progress is told. */
const LONG_BYTES = 1024 * 1024 * 1024;

/**
 * Consecutive parts of the disk that travel together: the data parts one after another in one buffer, so that a thousand small
 * changes are as few writes as a few large ones.
 */
export class Slab {
  readonly buffer: Buffer;
  parts: Part[] = [];
  /** The reads that fill the buffer. */
  reads: Promise<void>[] = [];
  used = 0;
  /** Settles when all of it is in the image's file, and the buffer is free again. */
  stored: Promise<void> = Promise.resolve();

  constructor(bytes: number) {
    this.buffer = Buffer.allocUnsafeSlow(bytes);
  }

  get isFull(): boolean {
    const last = this.parts.at(-1);
    const isLong = last !== undefined && last.kind !== 'data' && last.length >= LONG_BYTES;
    return this.used === this.buffer.length || this.parts.length >= MAX_PARTS || isLong;
  }

  get freeBytes(): number {
    return this.buffer.length - this.used;
  }

  /** Takes a part; data gets its place, `bytes` long in the buffer. */
  add(extent: CopyExtent, bytes: number): Part {
    const part = { ...extent, at: this.used };
    this.parts.push(part);
    this.used += bytes;
    return part;
  }

  empty(): void {
    this.parts = [];
    this.reads = [];
    this.used = 0;
  }
}
