import { CLUSTER_BYTES, L2_SPAN_BYTES } from './layout.ts';
import type { ImageTables } from './tables.ts';

/** A part of a disk whose bytes come from one place. `image` counts from the newest, 0. Plain data: it crosses threads. */
export type Stretch =
  | { readonly kind: 'zeros'; readonly offset: number; readonly length: number }
  /** Clusters that follow each other in the disk and in the file. */
  | {
      readonly kind: 'plain';
      readonly offset: number;
      readonly length: number;
      readonly image: number;
      readonly host: number;
    }
  /** One compressed cluster, of which the first `length` bytes are wanted. */
  | {
      readonly kind: 'packed';
      readonly offset: number;
      readonly length: number;
      readonly image: number;
      readonly host: number;
      readonly storedBytes: number;
    };

/**
 * Where each byte of a chain's disk is: for every window in turn, from its beginning to its end without a gap. The newest image
 * that knows a cluster has it, so an older image's table is looked at only while something is still sought:
 *
 *     newest   ·  D  ·  0  ·  ·        D data, 0 zeros, · unallocated
 *        ↓     ·  D  D  D  ·  ·
 *     full     D  D  D  D  ·  D
 *     ──────────────────────────
 *     disk     D₂ D₀ D₁ 0  0  D₂       each cluster is read from one image, no other is touched
 *
 * Memory: one window, whatever the size of disk and chain. @throws `damaged` of the image whose table is wrong
 */
export function* mapChain(images: readonly ImageTables[]): Generator<readonly Stretch[], void, void> {
  const sizeBytes = images[0]?.virtualSizeBytes ?? 0;
  for (let index = 0; index * L2_SPAN_BYTES < sizeBytes; index++) yield mapWindow(images, index, sizeBytes);
}

function mapWindow(images: readonly ImageTables[], index: number, sizeBytes: number): readonly Stretch[] {
  const start = index * L2_SPAN_BYTES;
  const end = Math.min(start + L2_SPAN_BYTES, sizeBytes);
  const clusters = Math.ceil((end - start) / CLUSTER_BYTES);
  const found: (Stretch | undefined)[] = [];
  /** Clusters that no image has been found to know; null for all of them. */
  let sought: readonly number[] | null = null;
  // A disk that was smaller in between hides what an older, larger one held beyond its end.
  let visibleEnd = end;
  for (const [image, tables] of images.entries()) {
    visibleEnd = Math.min(visibleEnd, tables.virtualSizeBytes);
    if (sought?.length === 0 || visibleEnd <= start) break;
    const window = tables.window(index);
    if (window === null) continue;
    sought ??= Array.from({ length: clusters }, (_, cluster) => cluster);
    sought = sought.filter((cluster) => {
      const offset = start + cluster * CLUSTER_BYTES;
      const length = Math.min(CLUSTER_BYTES, visibleEnd - offset);
      if (length <= 0) return false;
      const entry = window(cluster);
      if (entry.kind === 'absent') return true;
      found[cluster] =
        entry.kind === 'zeros' ? { kind: 'zeros', offset, length } : { offset, length, image, ...entry };
      return false;
    });
  }
  return joined(found, start, end);
}

/** Neighbours as one, and zeros wherever nothing was found. */
function joined(found: readonly (Stretch | undefined)[], start: number, end: number): readonly Stretch[] {
  const stretches: Stretch[] = [];
  const add = (next: Stretch): void => {
    const last = stretches.at(-1);
    const follows =
      last?.kind === 'zeros'
        ? next.kind === 'zeros'
        : last?.kind === 'plain' &&
          next.kind === 'plain' &&
          next.image === last.image &&
          next.host === last.host + last.length;
    if (last && follows) stretches[stretches.length - 1] = { ...last, length: last.length + next.length };
    else stretches.push(next);
  };
  let offset = start;
  for (let cluster = 0; cluster < found.length; cluster++) {
    const stretch = found[cluster];
    const clusterEnd = Math.min(Math.floor(offset / CLUSTER_BYTES) * CLUSTER_BYTES + CLUSTER_BYTES, end);
    if (stretch) {
      add(stretch);
      offset += stretch.length;
    }
    if (offset < clusterEnd) add({ kind: 'zeros', offset, length: clusterEnd - offset });
    offset = clusterEnd;
  }
  if (offset < end) add({ kind: 'zeros', offset, length: end - offset });
  return stretches;
}
