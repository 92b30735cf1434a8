import { crc32 } from 'node:zlib';
import type { VolumeRecord } from '../../domain/manifest.ts';
import { systemError } from '../errno.ts';
import type { Pace } from '../pace.ts';
import { DamageList, guestWords } from './damage.ts';
import { Fault, inWords, lookFault } from './faults.ts';
import { guestRanges } from './guest-ranges.ts';
import { type ImageFiles, openImage, proveSums } from './open-image.ts';
import { ProvenFile } from './proven-file.ts';
import { type ReadPart, readAhead } from './read-ahead.ts';
import { SUM_BLOCK_BYTES } from './sums.ts';
import { fillFrom, SumsReader } from './sums-reader.ts';
import { verifyTables } from './verify-tables.ts';

export interface ImageVerifyOptions {
  /** Offset in the file to begin at: a multiple of 64 KiB. */
  readonly start: number;
  readonly partBytes: number;
  readonly pace: Pace;
  /** Called as the reading goes on, with the offset up to which all is known; true ends it there. */
  readonly onProgress: (offset: number, bytesRead: number) => boolean;
}

/** What was found in one image. `stoppedAt` is null when its end was reached. */
export interface ImageVerification {
  readonly bytesRead: number;
  readonly stoppedAt: number | null;
  readonly faults: readonly Fault[];
}

/**
 * Reads an image from `start` to its end and proves each block, then its tables.
 * @returns a fault for each part of the file that is wrong, with the parts of the disk that it holds
 * @throws Fault if a file cannot be read at all, or the signal's reason
 */
export async function verifyImage(
  directory: string,
  record: VolumeRecord,
  options: ImageVerifyOptions,
  signal: AbortSignal,
): Promise<ImageVerification> {
  await using files = await openImage(directory, record);
  const faults: Fault[] = [];
  const keep = (error: unknown): void => {
    if (!(error instanceof Fault)) throw error;
    faults.push(error);
  };
  // Wrong sums still tell where a block does not match them.
  await proveSums(files, record, signal).catch(keep);
  const list = new DamageList();
  const { bytesRead, stoppedAt } = await readImage(files, options, list, signal);
  faults.unshift(...describe(files, record, list));
  if (stoppedAt === null && faults.length === 0) {
    try {
      verifyTables(new ProvenFile(files.opened), record);
    } catch (error) {
      keep(error);
    }
  }
  return { bytesRead, stoppedAt, faults };
}

async function readImage(
  { image, opened }: ImageFiles,
  { start, partBytes, pace, onProgress }: ImageVerifyOptions,
  list: DamageList,
  signal: AbortSignal,
): Promise<{ readonly bytesRead: number; readonly stoppedAt: number | null }> {
  const sums = new SumsReader(opened);
  let bytesRead = 0;
  for await (const part of readAhead(image, { start, end: opened.bytes, partBytes, pace }, signal)) {
    bytesRead += part.bytes.length;
    const { code } = systemError(part.error);
    // One bad sector is not the end of a file; a server that is gone is.
    if (part.error !== null && code !== 'EIO') throw lookFault(opened.volume, opened.path, part.error);
    for (let at = 0; at < part.length; at += SUM_BLOCK_BYTES) checkBlock(opened, part, at, sums, list);
    const done = part.offset + part.length;
    if (onProgress(done, bytesRead) && done < opened.bytes) return { bytesRead, stoppedAt: done };
  }
  return { bytesRead, stoppedAt: null };
}

function checkBlock(
  { fd, path, volume }: ImageFiles['opened'],
  { offset, length, bytes, error }: ReadPart,
  at: number,
  sums: SumsReader,
  list: DamageList,
): void {
  const end = Math.min(at + SUM_BLOCK_BYTES, length);
  const range = { start: offset + at, end: offset + end };
  let block = bytes.subarray(at, end);
  try {
    if (error !== null && end > bytes.length) {
      block = Buffer.allocUnsafe(end - at);
      fillFrom(fd, block, range.start, path, volume);
    }
    // A block or a sum that is not there is wrong, too.
    if (block.length === end - at && crc32(block) === sums.sumOf(range.start / SUM_BLOCK_BYTES)) return;
    list.add({ ...range, why: 'are not what was written' });
  } catch (fault) {
    if (!(fault instanceof Fault)) throw fault;
    list.add({ ...range, why: fault.path === path ? 'cannot be read' : 'have no sum' });
  }
}

function describe(
  { opened }: ImageFiles,
  { virtualSizeBytes }: VolumeRecord,
  list: DamageList,
): readonly Fault[] {
  if (list.parts.length === 0) return [];
  const { volume, path } = opened;
  const guest = guestRanges(new ProvenFile(opened), virtualSizeBytes, list.parts);
  const faults = list.parts.map(({ start, end, why }, i) => {
    const range = { start, end };
    const ranges = guest[i] ?? [];
    const words = `${inWords(range)} ${why} ${guestWords(ranges)}`;
    return new Fault('Damaged', volume, path, words, { range, guestRanges: ranges });
  });
  if (list.more > 0) {
    faults.push(new Fault('Damaged', volume, path, `${list.more} more parts are not what was written`));
  }
  return faults;
}
