import { readSync } from 'node:fs';
import { isAway, systemError } from '../errno.ts';
import { targetError } from '../target-error.ts';
import { Fault, inWords } from './faults.ts';
import type { OpenImage } from './proven-file.ts';
import { SUM_BLOCK_BYTES, SUMS_HEADER_BYTES } from './sums.ts';

/** Sums read at once: those of 64 MiB. A chain of a hundred images holds as many pages. */
const PAGE_BYTES = 4096;

/** Looks up the sum of a block. One page is in memory, so ask in rising order where you can. */
export class SumsReader {
  readonly #image: OpenImage;
  readonly #end: number;
  readonly #page = Buffer.alloc(PAGE_BYTES);
  #pageAt = -1;

  constructor(image: OpenImage) {
    this.#image = image;
    this.#end = SUMS_HEADER_BYTES + Math.ceil(image.bytes / SUM_BLOCK_BYTES) * 4;
  }

  /** @throws Fault if the file ends before it, or cannot be read */
  sumOf(block: number): number {
    const position = SUMS_HEADER_BYTES + block * 4;
    const pageAt = position - (position % PAGE_BYTES);
    if (this.#pageAt !== pageAt) {
      const { sumsFd, sumsPath, volume } = this.#image;
      this.#pageAt = -1;
      fillFrom(sumsFd, this.#page.subarray(0, this.#end - pageAt), pageAt, sumsPath, volume);
      this.#pageAt = pageAt;
    }
    return this.#page.readUInt32LE(position - pageAt);
  }
}

/** Fills a buffer from a place of a file. @throws Fault with the range that is missing or cannot be read */
export function fillFrom(fd: number, buffer: Buffer, position: number, path: string, volume: string): void {
  for (let done = 0; done < buffer.length; ) {
    const range = { start: position + done, end: position + buffer.length };
    let read: number;
    try {
      read = readSync(fd, buffer, done, buffer.length - done, position + done);
    } catch (cause) {
      // A server that went away says nothing about the data.
      if (isAway(cause)) throw targetError('read', path, cause);
      const why = `${inWords(range)} cannot be read (${systemError(cause).code})`;
      throw new Fault('Damaged', volume, path, why, { cause, range });
    }
    if (read === 0) throw new Fault('Damaged', volume, path, `${inWords(range)} are missing`, { range });
    done += read;
  }
}
