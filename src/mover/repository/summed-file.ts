import { createHash } from 'node:crypto';
import { closeSync, fsync, openSync, readSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { crc32 } from 'node:zlib';
import type { ClusterSink } from '../qcow2/writer.ts';
import { targetError } from '../target-error.ts';
import { encodeSumsHeader, SUM_BLOCK_BYTES, SUMS_HEADER_BYTES } from './sums.ts';

const sync = promisify(fsync);
/** Sums kept in memory before they are written: those of 1 GiB. */
const SUMS_PAGE_BYTES = 65536;

/**
 * An append-only file of 64 KiB blocks, and the sums of these blocks in a second file that grows along with it: memory stays
 * the same for a disk of any size. Writes are synchronous: measured, that is the fastest way to a page cache.
 */
export class SummedFile implements ClusterSink, Disposable {
  readonly #image: OpenFile;
  readonly #sums: OpenFile;
  readonly #page = Buffer.alloc(SUMS_PAGE_BYTES);
  #pageUsed = 0;
  /** The first block, and the sums' header, come last: so a file that was cut short is no image at all. */
  #imageEnd = SUM_BLOCK_BYTES;
  #sumsEnd = SUMS_HEADER_BYTES + 4;

  private constructor(image: OpenFile, sums: OpenFile) {
    this.#image = image;
    this.#sums = sums;
  }

  /** @throws TargetError when a file is there already or cannot be made */
  static create(imagePath: string, sumsPath: string): SummedFile {
    const image = new OpenFile(imagePath);
    try {
      return new SummedFile(image, new OpenFile(sumsPath));
    } catch (error) {
      image.close();
      throw error;
    }
  }

  get bytes(): number {
    return this.#imageEnd;
  }

  /** Appends whole blocks. @throws TargetError, such as `TargetFull` */
  append(blocks: Buffer): number {
    const offset = this.#imageEnd;
    this.#image.write(blocks, offset);
    for (let at = 0; at < blocks.length; at += SUM_BLOCK_BYTES) {
      if (this.#pageUsed === SUMS_PAGE_BYTES) this.#flushPage();
      this.#page.writeUInt32LE(crc32(blocks.subarray(at, at + SUM_BLOCK_BYTES)), this.#pageUsed);
      this.#pageUsed += 4;
    }
    this.#imageEnd += blocks.length;
    return offset;
  }

  setFirst(block: Buffer): void {
    this.#image.write(block, 0);
    this.#flushPage();
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(block));
    this.#sums.write(Buffer.concat([encodeSumsHeader(this.#imageEnd / SUM_BLOCK_BYTES), sum]), 0);
  }

  /**
   * Brings the image, then its sums, to stable storage.
   * @returns size and SHA-256 of the sums file, read back from it
   */
  async commit(): Promise<{ readonly sumsBytes: number; readonly sumsSha256: string }> {
    await this.#image.sync();
    await this.#sums.sync();
    return { sumsBytes: this.#sumsEnd, sumsSha256: this.#sums.sha256() };
  }

  /** Closes both files. What a late write has to say, `commit` has heard. */
  [Symbol.dispose](): void {
    this.#image.close();
    this.#sums.close();
  }

  #flushPage(): void {
    this.#sums.write(this.#page.subarray(0, this.#pageUsed), this.#sumsEnd);
    this.#sumsEnd += this.#pageUsed;
    this.#pageUsed = 0;
  }
}

/** A new file, read and written by position, whose errors name its path. */
class OpenFile {
  readonly #path: string;
  readonly #fd: number;

  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'wx+', 0o640);
    } catch (cause) {
      throw targetError('create', path, cause);
    }
  }

  write(bytes: Buffer, position: number): void {
    try {
      for (let done = 0; done < bytes.length; ) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, position + done);
      }
    } catch (cause) {
      throw targetError('write', this.#path, cause);
    }
  }

  async sync(): Promise<void> {
    try {
      await sync(this.#fd);
    } catch (cause) {
      throw targetError('write', this.#path, cause);
    }
  }

  sha256(): string {
    const hash = createHash('sha256');
    const page = Buffer.alloc(SUMS_PAGE_BYTES);
    try {
      for (let position = 0; ; ) {
        const bytes = readSync(this.#fd, page, 0, page.length, position);
        if (bytes === 0) return hash.digest('hex');
        hash.update(page.subarray(0, bytes));
        position += bytes;
      }
    } catch (cause) {
      throw targetError('read back', this.#path, cause);
    }
  }

  close(): void {
    try {
      closeSync(this.#fd);
    } catch {
      // fsync has told the truth already; NFS may repeat it here.
    }
  }
}
