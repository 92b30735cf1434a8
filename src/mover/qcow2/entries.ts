import { CLUSTER_BITS, CLUSTER_BYTES } from './layout.ts';

/**
 * Table entries as QEMU's docs/interop/qcow2.txt gives them ("Cluster mapping"), 64 bits, big-endian. Read as two halves,
 * because a bigint for each cluster of a disk would cost more than the disk.
 *
 *     L1        bits 9–55 offset of an L2 table, 63 refcount is one
 *     L2 plain  bit 0 reads as zeros, 9–55 host offset, 62 = 0, 63 refcount is one
 *     L2 packed bits 0–53 host offset, 54–61 further sectors of 512 bytes, 62 = 1        (for 64 KiB clusters)
 */
export type ClusterEntry =
  | { readonly kind: 'absent' }
  | { readonly kind: 'zeros' }
  | { readonly kind: 'plain'; readonly host: number }
  /** `storedBytes` reaches to the end of the last sector, so it is a little more than the compressed cluster. */
  | { readonly kind: 'packed'; readonly host: number; readonly storedBytes: number };

const RESERVED_HIGH = 0x7f000000;
const RESERVED_LOW = 0x1fe;
const OFFSET_HIGH = 0x00ffffff;
const OFFSET_LOW = 0xfffffe00;
const PACKED = 0x40000000;
/** Bits of a packed entry that hold the offset, in its upper half: 62 − (cluster bits − 8) − 32. */
const PACKED_OFFSET_BITS = 30 - (CLUSTER_BITS - 8);
const SECTOR_BYTES = 512;
const ABSENT: ClusterEntry = { kind: 'absent' };
const ZEROS: ClusterEntry = { kind: 'zeros' };

/** Offset of the L2 table an L1 entry names, 0 for none; a sentence if it is no lawful entry of a file of so many bytes. */
export function decodeL1Entry(table: Buffer, index: number, fileBytes: number): number | string {
  const high = table.readUInt32BE(index * 8);
  const low = table.readUInt32BE(index * 8 + 4);
  if ((high & RESERVED_HIGH) !== 0 || (low & (RESERVED_LOW | 1)) !== 0)
    return 'an L1 entry has unknown flags';
  return clusterWithin(joined(high & OFFSET_HIGH, low & OFFSET_LOW), fileBytes);
}

/** What an L2 entry says; a sentence if it is no lawful entry of a file of so many bytes. */
export function decodeL2Entry(table: Buffer, index: number, fileBytes: number): ClusterEntry | string {
  const high = table.readUInt32BE(index * 8);
  const low = table.readUInt32BE(index * 8 + 4);
  if ((high | low) === 0) return ABSENT;
  if ((high & PACKED) !== 0) return packedEntry(high, low, fileBytes);
  if ((high & RESERVED_HIGH) !== 0 || (low & RESERVED_LOW) !== 0) return 'an L2 entry has unknown flags';
  if ((low & 1) !== 0) return ZEROS;
  const host = clusterWithin(joined(high & OFFSET_HIGH, low & OFFSET_LOW), fileBytes);
  if (typeof host === 'string') return host;
  return host === 0 ? ABSENT : { kind: 'plain', host };
}

function packedEntry(high: number, low: number, fileBytes: number): ClusterEntry | string {
  if ((high & 0x80000000) !== 0) return 'an L2 entry has unknown flags';
  const host = joined(high & ((1 << PACKED_OFFSET_BITS) - 1), low);
  const sectors = ((high & (PACKED - 1)) >>> PACKED_OFFSET_BITS) + 1;
  const end = Math.min(Math.floor(host / SECTOR_BYTES + sectors) * SECTOR_BYTES, fileBytes);
  if (host < CLUSTER_BYTES || host >= fileBytes) return 'an L2 entry points outside the file';
  return { kind: 'packed', host, storedBytes: end - host };
}

/** An offset as it is, if it is 0 or a whole cluster after the first one lies there. */
function clusterWithin(offset: number, fileBytes: number): number | string {
  if (offset % CLUSTER_BYTES !== 0) return 'a table entry points between clusters';
  if (offset + CLUSTER_BYTES > fileBytes) return 'a table entry points outside the file';
  return offset;
}

function joined(high: number, low: number): number {
  return high * 0x1_0000_0000 + (low >>> 0);
}
