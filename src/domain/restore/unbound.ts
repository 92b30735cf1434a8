import type { PersistentVolumeClaim } from '../../crds/core.ts';
import type { PlannedClaim } from '../../crds/vmrestore.ts';
import { clip, type Why } from '../why.ts';

/** Why a writer waits, and for which claim, if one has no volume: the scheduler names neither it nor its class. */
export function withUnbound(
  why: Why,
  planned: readonly PlannedClaim[],
  there: ReadonlyMap<string, PersistentVolumeClaim>,
): Why {
  const unbound = planned.find(({ claimName }) => there.get(claimName)?.status?.phase === 'Pending');
  if (unbound === undefined) return why;
  const { claimName, storageClassName } = unbound;
  const of = storageClassName === undefined ? 'the default storage class' : `class '${storageClassName}'`;
  const message = `PersistentVolumeClaim '${claimName}' of ${of} has no volume yet: 'kubectl describe pvc ${claimName}' tells why. If this cluster has no such class, delete this VMRestore, and make one with a storageClassMap. ${why.message}`;
  return { reason: why.reason, message: clip(message) };
}
