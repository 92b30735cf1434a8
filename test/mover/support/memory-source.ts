import type { BlockSource } from '../../../src/mover/qcow2/block-source.ts';

const BLOCK_BYTES = 65536;

/** The error of a source in memory: a test can tell it from a fault of the code. */
export class SourceDamaged extends Error {}

/** An image in memory that notes how often each block is read. */
export class MemorySource implements BlockSource {
  readonly content: Buffer;
  readonly reads: number[];

  constructor(content: Buffer) {
    this.content = content;
    this.reads = Array.from({ length: Math.ceil(content.length / BLOCK_BYTES) }, () => 0);
  }

  get bytes(): number {
    return this.content.length;
  }

  readBlocks(first: number, count: number, into: Buffer): void {
    if (first < 0 || count < 1 || (first + count - 1) * BLOCK_BYTES >= this.bytes) {
      throw new RangeError(`blocks ${first} + ${count} are outside ${this.bytes} bytes`);
    }
    for (let block = first; block < first + count; block++) this.reads[block]!++;
    this.content.copy(into, 0, first * BLOCK_BYTES, (first + count) * BLOCK_BYTES);
  }

  damaged(why: string): Error {
    return new SourceDamaged(why);
  }
}
