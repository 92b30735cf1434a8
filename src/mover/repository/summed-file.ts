import { crc32 } from 'node:zlib';
import type { ClusterSink } from '../qcow2/writer.ts';
import { NewFile } from './new-file.ts';
import { encodeSumsHeader, SUM_BLOCK_BYTES, SUMS_HEADER_BYTES } from './sums.ts';
import { FIRST_PORTION_BYTES, nextPortion } from './sync-portion.ts';

/** Sums kept in memory before they are written: those of 1 GiB. */
const SUMS_PAGE_BYTES = 65536;

/** Blocks that are to be written, and who waits for that. */
interface Waiting {
  readonly blocks: Buffer;
  readonly onWritten: (() => void) | undefined;
}

/**
 * An append-only file of 64 KiB blocks, and the sums of these blocks in a second file that grows along with it: memory stays
 * the same for a disk of any size.
 *
 *     append append flush ──▶ one writev in another thread ──▶ … every portion: fdatasync beside it
 *                         ──▶ meanwhile, in this thread: the sums
 *
 * One write at a time: two would only wait for each other at the file's lock. Syncing on the way, never more than two portions
 * behind, makes the last sync short, tells of a bad disk early, and keeps a slow one from filling the host's memory.
 */
export class SummedFile implements ClusterSink, AsyncDisposable {
  readonly #image: NewFile;
  readonly #sums: NewFile;
  readonly #page = Buffer.alloc(SUMS_PAGE_BYTES);
  #pageUsed = 0;
  /** The first block, and the sums' header, come last: so a file that was cut short is no image at all. */
  #first: Buffer | null = null;
  #imageEnd = SUM_BLOCK_BYTES;
  #sumsEnd = SUMS_HEADER_BYTES + 4;
  #waiting: Waiting[] = [];
  #writtenEnd = SUM_BLOCK_BYTES;
  #syncedEnd = SUM_BLOCK_BYTES;
  #portionBytes = FIRST_PORTION_BYTES;
  #written: Promise<void> = Promise.resolve();
  #synced: Promise<void> = Promise.resolve();

  private constructor(image: NewFile, sums: NewFile) {
    this.#image = image;
    this.#sums = sums;
  }

  /** @throws TargetError when a file is there already or cannot be made */
  static create(imagePath: string, sumsPath: string): SummedFile {
    const image = new NewFile(imagePath);
    try {
      return new SummedFile(image, new NewFile(sumsPath));
    } catch (error) {
      image[Symbol.dispose]();
      throw error;
    }
  }

  get bytes(): number {
    return this.#imageEnd;
  }

  append(blocks: Buffer, onWritten?: () => void): number {
    const offset = this.#imageEnd;
    this.#waiting.push({ blocks, onWritten });
    this.#imageEnd += blocks.length;
    return offset;
  }

  setFirst(block: Buffer): void {
    this.#first = block;
  }

  /** Writes what was appended; the buffers are the caller's again when this settles. @throws TargetError, such as `TargetFull` */
  flush(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (waiting.length > 0) this.#written = this.#written.then(async () => await this.#write(waiting));
    // Whoever flushes next hears of a failure, too: here it must only not count as unheard.
    this.#written.catch(() => {});
    return this.#written;
  }

  /**
   * Brings the image, then its sums, to stable storage.
   * @returns size and SHA-256 of the sums file, read back from it
   */
  async commit(): Promise<{ readonly sumsBytes: number; readonly sumsSha256: string }> {
    await this.flush();
    const first = this.#first;
    if (!first) throw new Error('an image without its first block');
    await this.#synced;
    this.#image.write(first, 0);
    this.#flushPage();
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(first));
    this.#sums.write(Buffer.concat([encodeSumsHeader(this.#imageEnd / SUM_BLOCK_BYTES), sum]), 0);
    await this.#image.sync();
    await this.#sums.sync();
    return { sumsBytes: this.#sumsEnd, sumsSha256: this.#sums.sha256() };
  }

  /** Closes both files when nothing is under way any more. What a late write has to say, `commit` has heard. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([this.#written, this.#synced]);
    this.#image[Symbol.dispose]();
    this.#sums[Symbol.dispose]();
  }

  async #write(waiting: readonly Waiting[]): Promise<void> {
    const all = waiting.map(({ blocks }) => blocks);
    // Both have ended when this does, whatever became of them: nobody may close a file that is being written.
    const ended = await Promise.allSettled([
      this.#image.writeTogether(all, this.#writtenEnd),
      this.#sumAll(all),
    ]);
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
    for (const { onWritten } of waiting) onWritten?.();
    if (this.#writtenEnd - this.#syncedEnd < this.#portionBytes) return;
    await this.#synced;
    this.#synced = this.#sync(this.#writtenEnd - this.#syncedEnd);
    this.#syncedEnd = this.#writtenEnd;
    // Heard at the next one, or at the commit.
    this.#synced.catch(() => {});
  }

  async #sync(bytes: number): Promise<void> {
    const startedAt = performance.now();
    await this.#image.syncData();
    this.#portionBytes = nextPortion(bytes, performance.now() - startedAt);
  }

  async #sumAll(blocks: readonly Buffer[]): Promise<void> {
    for (const some of blocks) {
      this.#sum(some);
      this.#writtenEnd += some.length;
    }
  }

  #sum(blocks: Buffer): void {
    for (let at = 0; at < blocks.length; at += SUM_BLOCK_BYTES) {
      if (this.#pageUsed === SUMS_PAGE_BYTES) this.#flushPage();
      this.#page.writeUInt32LE(crc32(blocks.subarray(at, at + SUM_BLOCK_BYTES)), this.#pageUsed);
      this.#pageUsed += 4;
    }
  }

  #flushPage(): void {
    this.#sums.write(this.#page.subarray(0, this.#pageUsed), this.#sumsEnd);
    this.#sumsEnd += this.#pageUsed;
    this.#pageUsed = 0;
  }
}
