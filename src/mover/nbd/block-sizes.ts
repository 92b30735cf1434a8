import { NbdProtocolError } from './errors.ts';

/** A range of the export, in bytes. */
export interface Range {
  readonly offset: number;
  readonly length: number;
}

/** What requests the server takes (proto.md, "Block size constraints"), in bytes. */
export interface BlockSizes {
  /** Offsets and lengths are multiples of it: a power of two. */
  readonly minimumBlockBytes: number;
  /** No read is longer. At most 32 MiB, whatever the server allows. */
  readonly maximumBlockBytes: number;
}

/** What holds when the server does not say. More than 32 MiB may be taken for an attack, says the specification. */
export const DEFAULT_BLOCK_SIZES: BlockSizes = { minimumBlockBytes: 1, maximumBlockBytes: 32 * 1024 * 1024 };

const MAX_MINIMUM = 64 * 1024;
const MIN_MAXIMUM = 512;
/** The longest question about block status that fits 32 bits, whatever the minimum block size. */
const MAX_COMPACT_STATUS = 0x1_0000_0000 - MAX_MINIMUM;

/**
 * NBD_INFO_BLOCK_SIZE: info16 minimum32 preferred32 maximum32.
 * @throws NbdProtocolError for sizes that no request could fit
 */
export function parseBlockSizes(info: Buffer): BlockSizes {
  if (info.length !== 14) throw new NbdProtocolError(`block sizes in ${info.length} bytes`);
  const minimum = info.readUInt32BE(2);
  const maximum = info.readUInt32BE(10);
  const isPowerOfTwo = minimum > 0 && (minimum & (minimum - 1)) === 0;
  if (!isPowerOfTwo || minimum > MAX_MINIMUM)
    throw new NbdProtocolError(`a minimum block size of ${minimum} bytes`);
  if (maximum < Math.max(minimum, MIN_MAXIMUM))
    throw new NbdProtocolError(`a maximum block size of ${maximum} bytes`);
  const most = Math.min(maximum, DEFAULT_BLOCK_SIZES.maximumBlockBytes);
  return { minimumBlockBytes: minimum, maximumBlockBytes: most - (most % minimum) };
}

/**
 * The range, grown to whole minimum blocks. Not beyond the export's end, where any server must fail it: an export whose
 * size is no multiple of its minimum block lets nobody read its last bytes, or does so after all.
 */
export function aligned({ offset, length }: Range, sizes: BlockSizes, sizeBytes: number): Range {
  const block = sizes.minimumBlockBytes;
  const start = offset - (offset % block);
  const end = Math.min(Math.ceil((offset + length) / block) * block, sizeBytes);
  return { offset: start, length: end - start };
}

/** An aligned range, in pieces that the server takes as reads. */
export function* cut({ offset, length }: Range, sizes: BlockSizes): Generator<Range, void, void> {
  const most = sizes.maximumBlockBytes;
  for (let at = 0; at < length; at += most)
    yield { offset: offset + at, length: Math.min(most, length - at) };
}

/** As much of an aligned range as one question about block status can name: all of it with extended headers. */
export function statusRange(range: Range, hasExtendedHeaders: boolean): Range {
  return hasExtendedHeaders ? range : { ...range, length: Math.min(range.length, MAX_COMPACT_STATUS) };
}
