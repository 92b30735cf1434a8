/**
 * `<volume>.sums`: one CRC-32 for every 64 KiB block of the image FILE, not of the disk. So the header, the tables and the
 * refcounts are covered exactly as the data is, and since every cluster is one block, a restore can prove a cluster on its own.
 *
 *     offset  0          8          12         16          20        24         32      36      40
 *             ┌──────────┬──────────┬──────────┬───────────┬─────────┬──────────┬───────┬───────┬─ … ─┐
 *             │ TIDESUMS │ version  │ algorithm│ blockBytes│ 0       │ blocks   │ sum 0 │ sum 1 │     │
 *             │ 8 bytes  │ uint32   │ uint32   │ uint32    │ uint32  │ uint64   │ uint32 each, little-endian
 *             └──────────┴──────────┴──────────┴───────────┴─────────┴──────────┴───────┴───────┴─ … ─┘
 */

export const SUMS_HEADER_BYTES = 32;
export const SUM_BLOCK_BYTES = 65536;
const MAGIC = 'TIDESUMS';
const VERSION = 1;
const CRC32 = 1;

export function encodeSumsHeader(blocks: number): Buffer {
  const header = Buffer.alloc(SUMS_HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(VERSION, 8);
  header.writeUInt32LE(CRC32, 12);
  header.writeUInt32LE(SUM_BLOCK_BYTES, 16);
  header.writeBigUInt64LE(BigInt(blocks), 24);
  return header;
}

/** Size of the sums of a file of so many bytes. */
export function sumsFileBytes(imageBytes: number): number {
  return SUMS_HEADER_BYTES + 4 * Math.ceil(imageBytes / SUM_BLOCK_BYTES);
}
