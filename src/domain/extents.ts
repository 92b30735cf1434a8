/**
 * From what an NBD server says about a range to what a backup does with it. Pure.
 *
 * A server cuts its answers as it likes, each context on its own: short, long, one after another, or again over what it said
 * before. So extents are not merged with one another at all; they are painted on a map with one mark per cluster:
 *
 *     clusters     |   0   |   1   |   2   |   3   |   4   |
 *     allocation   dddddddddddd zzzzzzzzzzzzzzzzzzzz zzzzzzz     d data, z reads as zeros
 *     dirty        ····**** ******** ····**** ········ ········
 *     ------------------------------------------------------
 *     copy         | data  | data  | zero  | clean | clean |
 *
 * A cluster is dirty if any byte of it is, and zero only if every byte is. Painting twice changes nothing, and no order of
 * answers can lose a change.
 */

/** One answer to NBD_CMD_BLOCK_STATUS: `length` bytes from `offset` on that share `flags`. */
export interface Extent {
  readonly offset: number;
  readonly length: number;
  readonly flags: number;
}

/** `data`: read it. `zero`: reads as zeros, no need to. `clean`: the parent holds it. */
export type CopyKind = 'data' | 'zero' | 'clean';

/** A range of whole clusters (the last one of a disk may be cut) and what to do with it. */
export interface CopyExtent {
  readonly offset: number;
  readonly length: number;
  readonly kind: CopyKind;
}

/** NBD_STATE_ZERO of `base:allocation` (proto.md, "Metadata contexts"): the range reads as zeros. A hole alone may not. */
export const STATE_ZERO = 0b10;
/** The only flag of `qemu:dirty-bitmap:*`: written since the bitmap began. */
export const STATE_DIRTY = 0b1;

/** A stretch of a disk, and its marks: 1 = holds data, 1 = dirty. `offset` is a multiple of `clusterBytes`. */
export interface ClusterMap {
  readonly offset: number;
  readonly length: number;
  readonly clusterBytes: number;
  readonly holdsData: Uint8Array;
  readonly isDirty: Uint8Array;
}

/** A map without a mark: all zero, all clean. */
export function emptyClusterMap(offset: number, length: number, clusterBytes: number): ClusterMap {
  const clusters = Math.ceil(length / clusterBytes);
  return {
    offset,
    length,
    clusterBytes,
    holdsData: new Uint8Array(clusters),
    isDirty: new Uint8Array(clusters),
  };
}

/** Marks what the server did not call zero as data. */
export function paintAllocation(map: ClusterMap, extents: Iterable<Extent>): void {
  for (const extent of extents) {
    if ((extent.flags & STATE_ZERO) === 0) paint(map, map.holdsData, extent.offset, extent.length);
  }
}

/** Marks what the bitmap calls dirty. */
export function paintDirty(map: ClusterMap, extents: Iterable<Extent>): void {
  for (const extent of extents) {
    if ((extent.flags & STATE_DIRTY) !== 0) paint(map, map.isDirty, extent.offset, extent.length);
  }
}

/**
 * Marks all from `offset` on as dirty, whatever a bitmap says: for a full, and for the part of a grown disk that its parent
 * has not got (a bitmap grows with its disk, but the new part of it is clean).
 */
export function paintDirtyFrom(map: ClusterMap, offset: number): void {
  const start = Math.max(offset, map.offset);
  paint(map, map.isDirty, start, map.offset + map.length - start);
}

function paint(map: ClusterMap, marks: Uint8Array, offset: number, length: number): void {
  const start = Math.max(offset, map.offset) - map.offset;
  const end = Math.min(offset + length, map.offset + map.length) - map.offset;
  if (end > start) marks.fill(1, Math.floor(start / map.clusterBytes), Math.ceil(end / map.clusterBytes));
}

/** The map as ranges, in order, without a gap; neighbours differ in kind. */
export function* copyExtents(map: ClusterMap): Generator<CopyExtent, void, void> {
  const clusters = map.holdsData.length;
  for (let first = 0, next = 0; first < clusters; first = next) {
    const kind = kindOf(map, first);
    for (next = first + 1; next < clusters && kindOf(map, next) === kind; ) next++;
    const start = first * map.clusterBytes;
    const end = Math.min(next * map.clusterBytes, map.length);
    yield { offset: map.offset + start, length: end - start, kind };
  }
}

function kindOf(map: ClusterMap, cluster: number): CopyKind {
  if (map.isDirty[cluster] === 0) return 'clean';
  return map.holdsData[cluster] === 0 ? 'zero' : 'data';
}

/** How far the extents go from `offset` on, without a gap. They are in order, as a server sends them. */
export function coveredUntil(offset: number, extents: Iterable<Extent>): number {
  let until = offset;
  for (const extent of extents)
    if (extent.offset <= until) until = Math.max(until, extent.offset + extent.length);
  return until;
}
