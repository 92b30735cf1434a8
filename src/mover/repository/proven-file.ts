import { crc32 } from 'node:zlib';
import type { BlockSource } from '../qcow2/block-source.ts';
import { Fault, type FaultOptions, inWords } from './faults.ts';
import { SUM_BLOCK_BYTES } from './sums.ts';
import { fillFrom, SumsReader } from './sums-reader.ts';

/** An image and its sums, open for reading. Plain data, because it crosses to other threads, which share the descriptors. */
export interface OpenImage {
  readonly volume: string;
  readonly path: string;
  readonly bytes: number;
  readonly fd: number;
  readonly sumsPath: string;
  readonly sumsFd: number;
}

/** Reads blocks of an image, and hands over none that is not what was written. Synchronous: the fastest way from a page cache. */
export class ProvenFile implements BlockSource {
  readonly bytes: number;
  /** Bytes of the image read so far. */
  bytesRead = 0;
  readonly #image: OpenImage;
  readonly #sums: SumsReader;

  constructor(image: OpenImage) {
    this.#image = image;
    this.bytes = image.bytes;
    this.#sums = new SumsReader(image);
  }

  readBlocks(first: number, count: number, into: Buffer): void {
    const start = first * SUM_BLOCK_BYTES;
    const some = into.subarray(0, Math.min(count * SUM_BLOCK_BYTES, this.bytes - start));
    fillFrom(this.#image.fd, some, start, this.#image.path, this.#image.volume);
    this.bytesRead += some.length;
    for (let at = 0; at < some.length; at += SUM_BLOCK_BYTES) {
      const block = some.subarray(at, at + SUM_BLOCK_BYTES);
      if (crc32(block) === this.#sums.sumOf(first + at / SUM_BLOCK_BYTES)) continue;
      const range = { start: start + at, end: start + at + block.length };
      throw this.damaged(`${inWords(range)} are not what was written`, { range });
    }
  }

  damaged(why: string, options: FaultOptions = {}): Fault {
    return new Fault('Damaged', this.#image.volume, this.#image.path, why, options);
  }
}
