import { ClusterSet } from '../domain/cluster-set.ts';
import { type CopyExtent, coveredUntil, type Extent, markData, markDirty } from '../domain/extents.ts';
import type { NbdConnection } from './nbd/connection.ts';
import { NbdProtocolError } from './nbd/errors.ts';
import { BASE_ALLOCATION } from './nbd/protocol.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';

/** The part of a connection that a survey needs. */
export type Surveyable = Pick<NbdConnection, 'sizeBytes' | 'contexts' | 'blockStatus'>;

/** What is asked about at once at most: it bounds the memory that the answers take. */
const WINDOW_BYTES = 4 * 1024 * 1024 * 1024;
/**
 * Whether a shorter stretch is zero is not asked: to read it is as quick. Measured on 1,024 changes all over a TiB: QEMU needs
 * half a second to say what of the TiB is allocated, and ten milliseconds to say what is dirty.
 */
const WORTH_ASKING_BYTES = 1024 * 1024;

/**
 * Which clusters of a disk an incremental must look at: those the bitmap calls dirty, and all from the end of the parent's disk
 * on, whatever the bitmap says (it grows with its disk, but the new part of it is clean).
 */
export async function changedClusters(
  source: Surveyable,
  dirtyContext: string,
  parentSizeBytes: number,
): Promise<ClusterSet> {
  const changed = new ClusterSet(0, source.sizeBytes, CLUSTER_BYTES);
  changed.mark(parentSizeBytes, source.sizeBytes - parentSizeBytes);
  await askAll(source, dirtyContext, 0, source.sizeBytes, (extents) => markDirty(changed, extents));
  return changed;
}

/**
 * What to do with each part of the disk: in order, without a gap, from 0 to its end. Neighbours may be alike.
 * @param changed null for a full, where everything counts as changed
 */
export async function* survey(
  source: Surveyable,
  changed: ClusterSet | null,
  windowBytes = WINDOW_BYTES,
): AsyncGenerator<CopyExtent, void, void> {
  const all = { offset: 0, length: source.sizeBytes, isMarked: true };
  for (const { offset, length, isMarked } of changed?.runs() ?? [all]) {
    if (!isMarked) yield { offset, length, kind: 'clean' };
    else if (length < WORTH_ASKING_BYTES || !source.contexts.has(BASE_ALLOCATION)) {
      yield { offset, length, kind: 'data' };
    } else {
      const end = offset + length;
      for (let at = offset; at < end; at += windowBytes)
        yield* allocated(source, at, Math.min(windowBytes, end - at));
    }
  }
}

async function* allocated(
  source: Surveyable,
  offset: number,
  length: number,
): AsyncGenerator<CopyExtent, void, void> {
  const holdsData = new ClusterSet(offset, length, CLUSTER_BYTES);
  await askAll(source, BASE_ALLOCATION, offset, length, (extents) => markData(holdsData, extents));
  for (const run of holdsData.runs())
    yield { offset: run.offset, length: run.length, kind: run.isMarked ? 'data' : 'zero' };
}

/** Asks until the server has said something of every byte, in as many answers as it likes. */
async function askAll(
  source: Surveyable,
  context: string,
  offset: number,
  length: number,
  hear: (extents: readonly Extent[]) => void,
): Promise<void> {
  const end = offset + length;
  for (let at = offset, next = at; at < end; at = next) {
    const extents = (await source.blockStatus(at, end - at)).get(context) ?? [];
    hear(extents);
    next = coveredUntil(at, extents);
    if (next <= at) throw new NbdProtocolError('a block status that tells nothing');
  }
}
