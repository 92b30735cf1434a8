import { deleteCheckpoint, readCheckpoint, redefineCheckpoint } from './checkpoint.ts';
import { isRefusal } from './errors.ts';
import type { Virsh } from './virsh.ts';

/** What is to be gone. */
export interface AbsentCheckpoint {
  readonly name: string;
  /** Every disk that may bear the bitmap: all trackable disks of the domain, if in doubt. */
  readonly targets: readonly string[];
}

/**
 * Removes a checkpoint and the bitmap behind it from every disk, whatever state they are in: known to libvirt or
 * forgotten in a restart, bitmap good, inconsistent or missing, all alike or each disk another. Run twice, it does the
 * same. No other checkpoint and no other bitmap is touched.
 *
 * libvirt deletes only what it knows, and nothing at all when one disk has lost its bitmap. So each disk is taken by
 * itself: define the checkpoint anew over that one disk, unvalidated, and delete it.
 */
export async function ensureCheckpointAbsent(
  virsh: Virsh,
  domain: string,
  { name, targets }: AbsentCheckpoint,
  signal?: AbortSignal,
): Promise<void> {
  const known = await readCheckpoint(virsh, domain, name, signal);
  const rest = new Set([...targets, ...(known?.targets ?? [])]);
  if (known !== undefined && (await deleteWhole(virsh, domain, name, signal))) {
    for (const target of known.targets) rest.delete(target);
  }
  for (const target of rest) {
    await redefineCheckpoint(
      virsh,
      domain,
      { name, creationTimeSeconds: known?.creationTimeSeconds ?? 0, targets: [target], validate: false },
      signal,
    );
    if (!(await deleteWhole(virsh, domain, name, signal))) {
      await deleteCheckpoint(virsh, domain, name, { metadataOnly: true }, signal);
    }
  }
}

/** False when a bitmap was missing, and so nothing was deleted. */
async function deleteWhole(
  virsh: Virsh,
  domain: string,
  name: string,
  signal?: AbortSignal,
): Promise<boolean> {
  try {
    await deleteCheckpoint(virsh, domain, name, {}, signal);
    return true;
  } catch (error) {
    if (isRefusal(error, 'BitmapMissing')) return false;
    if (isRefusal(error, 'CheckpointNotFound')) return true;
    throw error;
  }
}
