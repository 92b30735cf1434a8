import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { VolumeRecord } from '../../domain/manifest.ts';
import { throwIfAborted } from '../errors.ts';
import type { ProgressMeter } from '../report.ts';
import { Fault, lookFault } from './faults.ts';
import { encodeSumsHeader, SUM_BLOCK_BYTES, SUMS_HEADER_BYTES } from './sums.ts';

const READ_BYTES = 1024 * 1024;
/** More ranges than anyone reads: the rest is only counted. */
const MAX_RANGES = 100;

/** A range of an image file whose bytes are wrong, [start, end). */
interface Range {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads an image and its sums from front to end.
 * @returns a fault for each range of the image that is wrong, and one if the sums themselves are
 * @throws Fault if a file cannot be read, or the signal's reason
 */
export async function verifySums(
  directory: string,
  { name, image, sums }: VolumeRecord,
  meter: ProgressMeter,
  signal: AbortSignal,
): Promise<{ readonly bytesRead: number; readonly faults: readonly Fault[] }> {
  const imagePath = join(directory, image.file);
  const sumsPath = join(directory, sums.file);
  await using imageFile = await openToRead(imagePath, name);
  await using sumsFile = await openToRead(sumsPath, name);
  const hash = createHash('sha256');
  const ranges: Range[] = [];
  const faults: Fault[] = [];
  const blocks = Math.ceil(image.bytes / SUM_BLOCK_BYTES);
  const header = await readAt(sumsFile, sumsPath, name, Buffer.alloc(SUMS_HEADER_BYTES), 0);
  hash.update(header);
  if (!header.equals(encodeSumsHeader(blocks)))
    faults.push(new Fault('Damaged', name, sumsPath, 'has a wrong header'));

  const data = Buffer.allocUnsafe(READ_BYTES);
  const page = Buffer.allocUnsafe((READ_BYTES / SUM_BLOCK_BYTES) * 4);
  let bytesRead = 0;
  for (let offset = 0; offset < image.bytes; offset += READ_BYTES) {
    throwIfAborted(signal);
    const some = await readAt(imageFile, imagePath, name, data, offset);
    const expected = await readAt(
      sumsFile,
      sumsPath,
      name,
      page,
      SUMS_HEADER_BYTES + (offset / SUM_BLOCK_BYTES) * 4,
    );
    hash.update(expected);
    bytesRead += some.length;
    compare(some, expected, offset, Math.min(READ_BYTES, image.bytes - offset), ranges);
    const done = Math.min(offset + READ_BYTES, image.bytes);
    meter({
      volume: name,
      phase: 'verifying',
      bytesDone: done,
      bytesTotal: image.bytes,
      bytesRead,
      bytesStored: 0,
    });
  }
  for (const { start, end } of ranges.slice(0, MAX_RANGES)) {
    faults.push(
      new Fault('Damaged', name, imagePath, `bytes ${start} to ${end - 1} are not what was written`),
    );
  }
  if (ranges.length > MAX_RANGES) {
    faults.push(
      new Fault(
        'Damaged',
        name,
        imagePath,
        `${ranges.length - MAX_RANGES} more ranges are not what was written`,
      ),
    );
  }
  if (hash.digest('hex') !== sums.sha256)
    faults.push(new Fault('Damaged', name, sumsPath, 'does not match the manifest'));
  return { bytesRead, faults };
}

/** Notes the blocks that are wrong, neighbours as one range. A block or a sum that is not there is wrong, too. */
function compare(data: Buffer, sums: Buffer, offset: number, length: number, ranges: Range[]): void {
  for (let at = 0; at < length; at += SUM_BLOCK_BYTES) {
    const end = Math.min(at + SUM_BLOCK_BYTES, length);
    const sumAt = (at / SUM_BLOCK_BYTES) * 4;
    const isGood =
      end <= data.length &&
      sumAt + 4 <= sums.length &&
      crc32(data.subarray(at, end)) === sums.readUInt32LE(sumAt);
    if (isGood) continue;
    const last = ranges.at(-1);
    if (last?.end === offset + at) ranges[ranges.length - 1] = { start: last.start, end: offset + end };
    else ranges.push({ start: offset + at, end: offset + end });
  }
}

async function openToRead(path: string, volume: string): Promise<FileHandle> {
  return await open(path, 'r').catch((cause: unknown) => {
    throw lookFault(volume, path, cause);
  });
}

/** Fills the buffer from the file, or as much of it as there is. */
async function readAt(
  file: FileHandle,
  path: string,
  volume: string,
  buffer: Buffer,
  position: number,
): Promise<Buffer> {
  try {
    for (let done = 0; done < buffer.length; ) {
      const { bytesRead } = await file.read(buffer, done, buffer.length - done, position + done);
      if (bytesRead === 0) return buffer.subarray(0, done);
      done += bytesRead;
    }
    return buffer;
  } catch (cause) {
    throw lookFault(volume, path, cause);
  }
}
