/**
 * The qcow2 images we write: version 3, 64 KiB clusters, plain or compressed by zstd, 16-bit refcounts
 * (https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.txt). Written from front to end, header last:
 *
 *     cluster   0        1 …                                          … end
 *             ┌────────┬──────┬────┬──────┬────┬─────┬──────────┬──────────┐
 *             │ header │ data │ L2 │ data │ L2 │ L1  │ refcount │ refcount │
 *             │        │      │    │      │    │     │ blocks   │ table    │
 *             └────────┴──────┴────┴──────┴────┴─────┴──────────┴──────────┘
 *
 * Every L2 table follows the data it maps, so a few tables in memory are enough for a disk of any size. Of a file larger than
 * 2 GiB, refcount blocks come in between, too: as soon as one is full.
 */

export const CLUSTER_BITS = 16;
export const CLUSTER_BYTES = 1 << CLUSTER_BITS;
/** 64-bit entries in one cluster of an L1 or L2 table: one L2 table maps 512 MiB of the disk. */
export const TABLE_ENTRIES = CLUSTER_BYTES / 8;
export const L2_SPAN_BYTES = TABLE_ENTRIES * CLUSTER_BYTES;
/** Clusters whose 16-bit refcounts fill one refcount block. */
export const REFCOUNTS_PER_BLOCK = CLUSTER_BYTES / 2;
/** QEMU refuses an L1 table of more than 32 MiB: 2 PiB of disk with our clusters. */
export const MAX_VIRTUAL_BYTES = (32 * 1024 * 1024 * L2_SPAN_BYTES) / 8;

/** Upper half of QCOW_OFLAG_COPIED (bit 63): refcount is exactly one. */
export const COPIED_HIGH = 0x80000000;
/** Lower half of QCOW_OFLAG_ZERO (bit 0): the cluster reads as zeros, whatever lies under it. */
export const ZERO_LOW = 1;

/** QCOW_OFLAG_COMPRESSED (bit 62), in the upper half. */
const PACKED_HIGH = 0x40000000;
/** Where a compressed cluster's number of sectors begins, in the upper half: bit 62 − (cluster bits − 8). */
const PACKED_SECTORS_SHIFT = 30 - (CLUSTER_BITS - 8);

/** QEMU counts disks in sectors; an export of another size is filled up with zeros. */
export function roundUpToSector(bytes: number): number {
  return Math.ceil(bytes / 512) * 512;
}

/** Writes a 64-bit table entry. */
export function writeEntry(
  table: Buffer,
  index: number,
  offset: number,
  highFlags: number,
  lowFlags: number,
): void {
  const high = Math.floor(offset / 0x1_0000_0000);
  table.writeUInt32BE((high | highFlags) >>> 0, index * 8);
  table.writeUInt32BE(((offset % 0x1_0000_0000) | lowFlags) >>> 0, index * 8 + 4);
}

/** Writes the entry of a compressed cluster: where it begins, to the byte, and how many more sectors it touches after the first. */
export function writePackedEntry(table: Buffer, index: number, offset: number, moreSectors: number): void {
  const high = Math.floor(offset / 0x1_0000_0000);
  table.writeUInt32BE((PACKED_HIGH | (moreSectors << PACKED_SECTORS_SHIFT) | high) >>> 0, index * 8);
  table.writeUInt32BE(offset % 0x1_0000_0000, index * 8 + 4);
}
