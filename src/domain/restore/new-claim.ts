import type { PlannedClaim, VMRestore } from '../../crds/vmrestore.ts';
import { RESTORE_LABEL } from './names.ts';

/** The claim that takes one restored disk. It has no owner: whoever deletes the VMRestore does not want to lose the disks. */
export function newClaim({ metadata: { namespace, uid } }: VMRestore, claim: PlannedClaim) {
  const { claimName, accessModes, volumeMode, storageClassName, requestBytes, volume } = claim;
  return {
    metadata: {
      namespace,
      name: claimName,
      labels: { [RESTORE_LABEL]: uid },
      // CDI keeps its hands off a claim that is filled already.
      annotations: { 'cdi.kubevirt.io/storage.prePopulated': volume },
    },
    spec: {
      accessModes,
      volumeMode,
      ...(storageClassName !== undefined && { storageClassName }),
      resources: { requests: { storage: String(requestBytes) } },
    },
  };
}
