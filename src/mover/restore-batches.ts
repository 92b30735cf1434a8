import { CLUSTER_BYTES } from './qcow2/layout.ts';
import type { Stretch } from './qcow2/stretches.ts';

/** What one thread does in one go. */
export interface Batch {
  readonly stretches: readonly Stretch[];
  /** Guest bytes in it. */
  readonly bytes: number;
}

export interface BatchOptions {
  /** A multiple of a cluster. */
  readonly batchBytes: number;
  /**
   * Whether compressed clusters may be cut apart. They share blocks, so with more than one thread both sides of a cut would
   * read the block there: then a window with compressed clusters stays whole.
   */
  readonly mayPartPacked: boolean;
}

/** Cuts a window's work into batches, in order. */
export function* cutBatches(
  stretches: readonly Stretch[],
  { batchBytes, mayPartPacked }: BatchOptions,
): Generator<Batch, void, void> {
  const isWhole = !mayPartPacked && stretches.some(({ kind }) => kind === 'packed');
  let batch: Stretch[] = [];
  let bytes = 0;
  for (const stretch of stretches) {
    for (let done = 0; done < stretch.length; ) {
      const room = Math.ceil((batchBytes - bytes) / CLUSTER_BYTES) * CLUSTER_BYTES;
      const some = isWhole ? stretch.length : Math.min(stretch.length - done, room);
      batch.push(part(stretch, done, some));
      bytes += some;
      done += some;
      if (isWhole || bytes < batchBytes) continue;
      yield { stretches: batch, bytes };
      batch = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield { stretches: batch, bytes };
}

/** Cuts are at clusters, so a compressed one always stays whole. */
function part(stretch: Stretch, done: number, length: number): Stretch {
  if (done === 0 && length === stretch.length) return stretch;
  const cut = { ...stretch, offset: stretch.offset + done, length };
  return cut.kind === 'plain' ? { ...cut, host: cut.host + done } : cut;
}
