import { createHash } from 'node:crypto';
import { closeSync, fdatasync, fsync, openSync, readSync, writev } from 'node:fs';
import { promisify } from 'node:util';
import { targetError } from '../target-error.ts';
import { writeFully } from '../write-fully.ts';

const syncAll = promisify(fsync);
const syncData = promisify(fdatasync);
const READ_BYTES = 65536;
/** The kernel takes no more buffers at once (IOV_MAX). */
const MAX_BUFFERS = 1024;

/** A new file, read and written by position, whose errors name its path. */
export class NewFile implements Disposable {
  readonly #path: string;
  readonly #fd: number;

  /** @throws TargetError when it is there already or cannot be made */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'wx+', 0o640);
    } catch (cause) {
      throw targetError('create', path, cause);
    }
  }

  /** Writes in this thread. @throws TargetError */
  write(bytes: Buffer, position: number): void {
    try {
      writeFully(this.#fd, bytes, position);
    } catch (cause) {
      throw targetError('write', this.#path, cause);
    }
  }

  /**
   * Writes buffers one after another, in another thread: on the way already when this returns. They must not change until the
   * promise settles. @throws TargetError
   */
  async writeTogether(buffers: readonly Buffer[], position: number): Promise<void> {
    let at = position;
    for (let i = 0; i < buffers.length; i += MAX_BUFFERS) {
      at += await this.#writeSome(buffers.slice(i, i + MAX_BUFFERS), at);
    }
  }

  async #writeSome(buffers: Buffer[], position: number): Promise<number> {
    const length = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    const written = await new Promise<number>((resolve, reject) => {
      writev(this.#fd, buffers, position, (cause, bytes) => {
        if (cause) reject(targetError('write', this.#path, cause));
        else resolve(bytes);
      });
    });
    // Cut short: rare (a full disk, or more than 2 GiB), so the rest may cost a copy. It tells the reason, too.
    if (written < length) this.write(Buffer.concat(buffers).subarray(written), position + written);
    return length;
  }

  /** Brings what is written to stable storage. @throws TargetError */
  async sync(): Promise<void> {
    await this.#sync(syncAll);
  }

  /** The same, less the file's times. */
  async syncData(): Promise<void> {
    await this.#sync(syncData);
  }

  async #sync(how: typeof syncAll): Promise<void> {
    try {
      await how(this.#fd);
    } catch (cause) {
      throw targetError('write', this.#path, cause);
    }
  }

  /** Reads the whole file back. @throws TargetError */
  sha256(): string {
    const hash = createHash('sha256');
    const page = Buffer.alloc(READ_BYTES);
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

  [Symbol.dispose](): void {
    try {
      closeSync(this.#fd);
    } catch {
      // fsync has told the truth already; NFS may repeat it here.
    }
  }
}
