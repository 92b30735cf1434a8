import { revisionsOf } from '../definitions/references.ts';
import type { Definitions, StoredRevision } from './inspection.ts';
import type { VMRestore } from '../../crds/vmrestore.ts';
import { revisionName, restoreLabels } from './names.ts';

/** What of a VM KubeVirt keeps a copy of, in a ControllerRevision, as it was when the VM took it. */
export const REVISED = ['instancetype', 'preference'] as const;
export type Revised = (typeof REVISED)[number];

/** KubeVirt's own labels tell it what is in a revision. Any other one might make another controller take it for its own. */
const KUBEVIRT_LABEL = /^instancetype\.kubevirt\.io\//;

/** The backup's copy of what the VM stood on; undefined where it holds none. */
export function storedRevision(definitions: Definitions, what: Revised): StoredRevision | undefined {
  const wanted = revisionsOf(definitions.virtualMachine)[what];
  if (wanted === undefined) return undefined;
  return definitions.controllerRevisions?.find(({ metadata: { name } }) => name === wanted);
}

/**
 * The revisions that a new VM needs to be as big, and as it was, as the original: under names of their own, because those of the
 * original belong to it and go with it. They must be there before the VM: KubeVirt refuses one whose revision it does not find.
 */
export function newRevisions(restore: VMRestore, definitions: Definitions) {
  return REVISED.flatMap((what) => {
    const stored = storedRevision(definitions, what);
    if (stored === undefined) return [];
    const labels = Object.entries(stored.metadata.labels ?? {}).filter(([key]) => KUBEVIRT_LABEL.test(key));
    const { namespace } = restore.metadata;
    return {
      metadata: {
        namespace,
        name: revisionName(restore, what),
        labels: { ...Object.fromEntries(labels), ...restoreLabels(restore) },
      },
      data: stored.data,
      revision: stored.revision ?? 0,
    };
  });
}
