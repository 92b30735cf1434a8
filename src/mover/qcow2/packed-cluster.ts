import { zstdDecompressSync } from 'node:zlib';
import { CLUSTER_BYTES } from './layout.ts';

const MAGIC = 0xfd2fb528;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;
const DICTIONARY_BYTES = [0, 1, 2, 4] as const;

/**
 * Unpacks a cluster that was compressed as one zstd frame. The entry tells its size in sectors only, so other bytes may follow.
 * @returns exactly one cluster, or a sentence that says what is wrong
 */
export function unpackCluster(stored: Buffer): Buffer | string {
  const length = frameBytes(stored);
  if (length === null) return 'a compressed cluster is no zstd frame';
  try {
    const cluster = zstdDecompressSync(stored.subarray(0, length), { maxOutputLength: CLUSTER_BYTES });
    return cluster.length === CLUSTER_BYTES ? cluster : `a compressed cluster holds ${cluster.length} bytes`;
  } catch {
    return 'a compressed cluster cannot be unpacked';
  }
}

/**
 * The length of the zstd frame at the beginning of `bytes`, from its block headers alone; null if there is no whole frame.
 * Node refuses bytes after a frame, and zstd's own function for this is not exported. RFC 8878, section 3.1.1.
 */
export function frameBytes(bytes: Buffer): number | null {
  if (bytes.length < 6 || bytes.readUInt32LE(0) !== MAGIC) return null;
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const contentSize = CONTENT_SIZE_BYTES[descriptor >>> 6]! || (isSingleSegment ? 1 : 0);
  let at = 5 + (isSingleSegment ? 0 : 1) + DICTIONARY_BYTES[descriptor & 3]! + contentSize;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > bytes.length) return null;
    const header = bytes.readUIntLE(at, 3);
    const type = (header >>> 1) & 3;
    if (type === 3) return null;
    isLast = (header & 1) !== 0;
    // A run-length block stores one byte, whatever size it tells.
    at += 3 + (type === 1 ? 1 : header >>> 3);
  }
  if ((descriptor & 4) !== 0) at += 4;
  return at <= bytes.length ? at : null;
}
