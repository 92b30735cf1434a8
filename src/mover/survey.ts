import {
  type ClusterMap,
  type CopyExtent,
  copyExtents,
  coveredUntil,
  emptyClusterMap,
  paintAllocation,
  paintDirty,
  paintDirtyFrom,
} from '../domain/extents.ts';
import type { NbdConnection } from './nbd/connection.ts';
import { NbdProtocolError } from './nbd/errors.ts';
import { BASE_ALLOCATION } from './nbd/protocol.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';

/** What is known about a disk before it is read. */
export interface SurveyPlan {
  /** The bitmap's meta context; null for a full, where everything counts as dirty. */
  readonly dirtyContext: string | null;
  /** Size of the parent's disk; what lies beyond is read whatever the bitmap says. 0 for a full. */
  readonly parentSizeBytes: number;
}

/** The part of a connection that a survey needs. */
export type Surveyable = Pick<NbdConnection, 'sizeBytes' | 'contexts' | 'blockStatus'>;

/** One question to the server covers at most so much; its map takes one byte a cluster. NBD lengths end at 4 GiB. */
const WINDOW_BYTES = 2 * 1024 * 1024 * 1024;

/** What to do with each part of the disk: in order, without a gap, from 0 to its end. */
export async function* survey(
  source: Surveyable,
  plan: SurveyPlan,
  windowBytes = WINDOW_BYTES,
): AsyncGenerator<CopyExtent, void, void> {
  for (let offset = 0; offset < source.sizeBytes; offset += windowBytes) {
    const map = emptyClusterMap(offset, Math.min(windowBytes, source.sizeBytes - offset), CLUSTER_BYTES);
    if (plan.dirtyContext === null) paintDirtyFrom(map, 0);
    else if (plan.parentSizeBytes < source.sizeBytes) paintDirtyFrom(map, plan.parentSizeBytes);
    await ask(source, plan, map);
    yield* copyExtents(map);
  }
}

async function ask(source: Surveyable, plan: SurveyPlan, map: ClusterMap): Promise<void> {
  const end = map.offset + map.length;
  if (source.contexts.size === 0)
    return paintAllocation(map, [{ offset: map.offset, length: map.length, flags: 0 }]);
  // Each context is answered at its own length. Asking again over a part that is known changes nothing on the map.
  for (let at = map.offset, next = at; at < end; at = next) {
    const answers = await source.blockStatus(at, end - at);
    const allocation = answers.get(BASE_ALLOCATION) ?? [{ offset: at, length: end - at, flags: 0 }];
    paintAllocation(map, allocation);
    next = coveredUntil(at, allocation);
    if (plan.dirtyContext !== null) {
      const dirty = answers.get(plan.dirtyContext) ?? [];
      paintDirty(map, dirty);
      next = Math.min(next, coveredUntil(at, dirty));
    }
    if (next <= at) throw new NbdProtocolError('a block status that tells nothing');
  }
}
