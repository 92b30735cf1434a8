import type { Wants } from './wants.ts';

/** A parser at work: the buffer it wants filled, and how far that is filled. Made new, it runs to its first want. */
export class Filling<T> {
  readonly #parser: Wants<T>;
  #target: Buffer | null = null;
  #filled = 0;

  /** @throws what the parser throws */
  constructor(parser: Wants<T>) {
    this.#parser = parser;
    this.#next();
  }

  get isDone(): boolean {
    return this.#target === null;
  }

  /** Where the next bytes go. Never empty before the parser's end. */
  room(): Buffer {
    const target = this.#target ?? Buffer.alloc(0);
    return this.#filled === 0 ? target : target.subarray(this.#filled);
  }

  /** So many bytes have been put into `room()`. @throws what the parser throws */
  advance(bytes: number): void {
    this.#filled += bytes;
    if (this.#target && this.#filled === this.#target.length) this.#next();
  }

  /** Puts bytes in from elsewhere, and gives back those that are left at the parser's end. @throws what the parser throws */
  feed(bytes: Buffer): Buffer {
    let at = 0;
    while (at < bytes.length && !this.isDone) {
      const copied = bytes.copy(this.room(), 0, at);
      at += copied;
      this.advance(copied);
    }
    return bytes.subarray(at);
  }

  #next(): void {
    const step = this.#parser.next();
    this.#target = step.done ? null : step.value;
    this.#filled = 0;
  }
}
