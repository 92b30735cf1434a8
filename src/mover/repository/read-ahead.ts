import type { FileHandle } from 'node:fs/promises';
import { throwIfAborted } from '../errors.ts';
import type { Pace } from '../pace.ts';

/** A part of a file as it was read; `bytes` is shorter than `length` where the file ends. */
export interface ReadPart {
  readonly offset: number;
  readonly length: number;
  readonly bytes: Buffer;
  /** Why it could not be read; null if it could. */
  readonly error: unknown;
}

export interface ReadAheadOptions {
  readonly start: number;
  readonly end: number;
  readonly partBytes: number;
  readonly pace: Pace;
}

/** Enough for a network file system to be busy while a part is summed. */
const UNDER_WAY = 4;

/** Reads a file in order, with some parts under way. A part's bytes are good until the next one is asked for. */
export async function* readAhead(
  file: FileHandle,
  { start, end, partBytes, pace }: ReadAheadOptions,
  signal: AbortSignal,
): AsyncGenerator<ReadPart, void, void> {
  const free = Array.from({ length: UNDER_WAY }, () => Buffer.allocUnsafeSlow(partBytes));
  const underWay: { readonly buffer: Buffer<ArrayBuffer>; readonly part: Promise<ReadPart> }[] = [];
  let next = start;
  try {
    while (next < end || underWay.length > 0) {
      while (next < end && free.length > 0) {
        const length = Math.min(partBytes, end - next);
        await pace(length, signal);
        throwIfAborted(signal);
        const buffer = free.pop()!;
        underWay.push({ buffer, part: readPart(file, buffer, next, length) });
        next += length;
      }
      const { buffer, part } = underWay.shift()!;
      yield await part;
      free.push(buffer);
      throwIfAborted(signal);
    }
  } finally {
    // Nobody may close the file under a read.
    await Promise.all(underWay.map(({ part }) => part));
  }
}

async function readPart(
  file: FileHandle,
  buffer: Buffer<ArrayBuffer>,
  offset: number,
  length: number,
): Promise<ReadPart> {
  let done = 0;
  try {
    while (done < length) {
      const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
      if (bytesRead === 0) break;
      done += bytesRead;
    }
    return { offset, length, bytes: buffer.subarray(0, done), error: null };
  } catch (error) {
    return { offset, length, bytes: buffer.subarray(0, done), error };
  }
}
