import { setTimeout as sleep } from 'node:timers/promises';
import type { GuestIo } from './guest-io.ts';
import { KiB } from './units.ts';

export interface WriterOptions {
  readonly volume: string;
  /** Milliseconds between two bursts. Default 100. */
  readonly everyMs?: number;
  /** The same seed does the same operations in the same order. Default 1. */
  readonly seed?: number;
  /** Operations in a burst. Default 4. */
  readonly burst?: number;
  /** The part of the disk it writes to, bytes. Default: all of it. */
  readonly region?: Region;
}

interface Region {
  readonly offset: number;
  readonly length: number;
}

export interface WriterReport {
  /** What it did, in order. */
  readonly operations: readonly GuestIo[];
  /** Bytes written, zeroed or discarded in all. */
  readonly bytes: number;
}

/** A guest program that never stops writing. */
export interface BackgroundWriter extends AsyncDisposable {
  readonly volume: string;
  /** Ends it. Throws what a write threw. */
  stop(): Promise<WriterReport>;
}

/** What a writer needs of its VM. */
interface WriterPort {
  mayWrite(): boolean;
  perform(ios: readonly GuestIo[]): Promise<void>;
}

/** Begins to write: mostly patterns, one operation in eight zeros, one in eight a discard. */
export function startWriter(
  options: WriterOptions & { readonly region: Region },
  port: WriterPort,
): BackgroundWriter {
  const random = generator(options.seed ?? 1);
  const operations: GuestIo[] = [];
  const stopping = new AbortController();

  const loop = async () => {
    while (!stopping.signal.aborted) {
      if (port.mayWrite()) {
        const ios = Array.from({ length: options.burst ?? 4 }, () => nextIo(options, random));
        await port.perform(ios);
        operations.push(...ios);
      }
      await sleep(options.everyMs ?? 100, undefined, { signal: stopping.signal }).catch(() => {});
    }
  };
  const done = loop();
  done.catch(() => {}); // Thrown to whoever stops it.

  const stop = async () => {
    stopping.abort();
    await done;
    const bytes = operations.reduce((sum, io) => sum + (io.op === 'flush' ? 0 : io.length), 0);
    return { operations, bytes };
  };
  return {
    volume: options.volume,
    stop,
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

/** Offsets on 4 KiB, lengths up to 64 KiB. */
function nextIo(
  { volume, region }: { readonly volume: string; readonly region: Region },
  random: () => number,
): GuestIo {
  const length = Math.min(4 * KiB * (1 + Math.floor(random() * 16)), region.length);
  const blocks = Math.floor((region.length - length) / (4 * KiB)) + 1;
  const range = { volume, offset: region.offset + 4 * KiB * Math.floor(random() * blocks), length };
  const kind = Math.floor(random() * 8);
  if (kind === 0) return { op: 'writeZeroes', ...range };
  if (kind === 1) return { op: 'discard', ...range };
  return { op: 'write', pattern: 1 + Math.floor(random() * 255), ...range };
}

/** mulberry32: small, and the same everywhere. Numbers from 0 up to 1. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
