import { NbdProtocolError } from './errors.ts';

/**
 * A parser of incoming bytes, with no socket in it: a generator that yields the buffer it wants filled next, and is resumed
 * when that buffer is full. So the bytes of a read land in the reader's own memory, and a test needs no server.
 *
 *     socket ──fills──▶ [ buffer the parser yielded ] ──full──▶ parser.next() ──▶ the next buffer …
 */
export type Wants<T> = Generator<Buffer, T, void>;

/** Puts bytes on the wire; how a parser answers. */
export type Send = (bytes: Buffer) => void;

/** Takes a few bytes. They come from Node's pool: cheap, and never shared by two connections. */
export function* takeFew(bytes: number): Wants<Buffer> {
  const few = Buffer.allocUnsafe(bytes);
  yield few;
  return few;
}

/**
 * Takes `bytes` into memory of their own. `limit` is what a lying server can make us allocate.
 * @throws NbdProtocolError if they are more
 */
export function* take(bytes: number, limit: number, what: string): Wants<Buffer> {
  if (bytes > limit)
    throw new NbdProtocolError(`${what} of ${bytes} bytes, where at most ${limit} make sense`);
  const buffer = Buffer.alloc(bytes);
  if (bytes > 0) yield buffer;
  return buffer;
}

/** Reads an unsigned 64-bit number. Disks end long before 2^53 bytes, so a larger number is a lie. */
export function readLength64(buffer: Buffer, at: number, what: string): number {
  const value = buffer.readUInt32BE(at) * 0x1_0000_0000 + buffer.readUInt32BE(at + 4);
  if (!Number.isSafeInteger(value)) throw new NbdProtocolError(`${what} of ${value} bytes`);
  return value;
}

/** Text from a server, fit to be shown: bounded, and without control characters. */
export function printable(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/\p{C}/gu, ' ').trim().slice(0, 500);
}
