import type { ClusterSet } from './cluster-set.ts';

/**
 * From what an NBD server says about a range to what a backup does with it. Pure.
 *
 * A server cuts its answers as it likes, each context on its own: short, long, one after another, or again over what it said
 * before. So extents are not merged with one another at all; they mark clusters in a set (cluster-set.ts):
 *
 *     clusters     |   0   |   1   |   2   |   3   |   4   |
 *     allocation   dddddddddddd zzzzzzzzzzzzzzzzzzzz zzzzzzz     d data, z reads as zeros
 *     dirty        ····**** ******** ····**** ········ ········
 *     ------------------------------------------------------
 *     copy         | data  | data  | zero  | clean | clean |
 *
 * A cluster is dirty if any byte of it is, and zero only if every byte is. Marking twice changes nothing, and no order of
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

/** Marks what the server did not call zero. */
export function markData(set: ClusterSet, extents: Iterable<Extent>): void {
  for (const { offset, length, flags } of extents) if ((flags & STATE_ZERO) === 0) set.mark(offset, length);
}

/** Marks what the bitmap calls dirty. */
export function markDirty(set: ClusterSet, extents: Iterable<Extent>): void {
  for (const { offset, length, flags } of extents) if ((flags & STATE_DIRTY) !== 0) set.mark(offset, length);
}

/** How far the extents go from `offset` on, without a gap. They are in order, as a server sends them. */
export function coveredUntil(offset: number, extents: Iterable<Extent>): number {
  let until = offset;
  for (const extent of extents)
    if (extent.offset <= until) until = Math.max(until, extent.offset + extent.length);
  return until;
}
