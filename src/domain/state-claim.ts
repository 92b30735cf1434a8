import type { PersistentVolumeClaim } from '../crds/core.ts';
import type { VirtualMachine } from '../crds/kubevirt.ts';
import { PERSISTENT_STATE_LABEL } from './restore/names.ts';

/**
 * The claim whose overlays tell what changed on the disks of a VM that does not run; undefined if there is none, or one that may tell of
 * another VM or of another time: a bitmap that is trusted wrongly loses data, and one that is not costs a full. A label proves nothing, for
 * anybody may set it, and a copy bears it, too. A VM that ran last without change tracking left the overlays as they were before.
 */
export function stateClaimOf(
  { metadata, status }: VirtualMachine,
  claims: readonly PersistentVolumeClaim[],
): PersistentVolumeClaim | undefined {
  if (status?.changedBlockTracking?.state !== 'Enabled') return undefined;
  const labelled = claims.filter(
    (claim) =>
      claim.metadata.labels?.[PERSISTENT_STATE_LABEL] === metadata.name &&
      claim.metadata.deletionTimestamp === undefined,
  );
  const [only, ...others] = labelled.filter(({ metadata: { ownerReferences } }) =>
    ownerReferences?.some(({ uid, controller }) => controller === true && uid === metadata.uid),
  );
  return others.length > 0 ? undefined : only;
}
