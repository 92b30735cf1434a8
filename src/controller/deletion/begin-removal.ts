import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import { DATA_FINALIZER } from '../../domain/labels.ts';
import type { JsonPatch, Kube } from '../../kube/client.ts';
import { Conflict, NotFound } from '../../kube/errors.ts';

/**
 * Asks for the deletion of a backup together with its data: the wish and the finalizer first, in one step, so that the object cannot
 * go without the data. Nothing is done to an object that is not the one that was decided on any more (it may be on hold by now).
 * Resolves to whether it was done; the next look decides anew if not.
 */
export async function beginRemoval(kube: Kube, backup: VMBackup, signal: AbortSignal): Promise<boolean> {
  const { metadata } = backup;
  try {
    const patched = await kube.patch(vmBackups, metadata, removalPatch(backup), signal);
    if (patched.metadata.deletionTimestamp === undefined) {
      await kube.delete(vmBackups, metadata, { uid: metadata.uid }, signal);
    }
    return true;
  } catch (error) {
    if (error instanceof NotFound || error instanceof Conflict) return false;
    throw error;
  }
}

function removalPatch({ metadata }: VMBackup): readonly JsonPatch[] {
  const finalizers = metadata.finalizers ?? [];
  // An object that is being deleted takes no new finalizers.
  const mayAdd = metadata.deletionTimestamp === undefined && !finalizers.includes(DATA_FINALIZER);
  return [
    { op: 'test', path: '/metadata/uid', value: metadata.uid },
    { op: 'test', path: '/metadata/resourceVersion', value: metadata.resourceVersion },
    { op: 'add', path: '/spec/deletionPolicy', value: 'Delete' },
    ...(mayAdd
      ? [{ op: 'add', path: '/metadata/finalizers', value: [...finalizers, DATA_FINALIZER] } as const]
      : []),
  ];
}
