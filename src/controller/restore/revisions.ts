import { controllerRevisions } from '../../crds/definitions.ts';
import type { VMRestore } from '../../crds/vmrestore.ts';
import { referencesOf } from '../../domain/definitions/references.ts';
import type { Definitions, StoredVm } from '../../domain/restore/inspection.ts';
import { RESTORE_LABEL, revisionName } from '../../domain/restore/names.ts';
import { newRevisions, REVISED } from '../../domain/restore/revisions.ts';
import { clip, type Why } from '../../domain/why.ts';
import type { JsonPatch, Kube } from '../../kube/client.ts';
import { AlreadyExists, NotFound } from '../../kube/errors.ts';
import { ignoring } from './ignoring.ts';
import { wholeVms } from './whole-vms.ts';

/** What the new VM's instancetype and preference were: KubeVirt looks for it when the VM is made. */
export async function makeRevisions(
  kube: Kube,
  restore: VMRestore,
  definitions: Definitions,
  signal: AbortSignal,
): Promise<void> {
  for (const revision of newRevisions(restore, definitions))
    await ignoring(AlreadyExists, () => kube.create(controllerRevisions, revision, signal));
}

/**
 * Gives the revisions to the VM that stands on them, so that they go when it goes; without such a VM, they go now. What has an owner is
 * not touched any more.
 */
export async function settleRevisions(kube: Kube, restore: VMRestore, signal: AbortSignal): Promise<void> {
  const { newVM } = restore.spec.target;
  if (newVM === undefined) return;
  const { namespace, uid } = restore.metadata;
  for (const what of REVISED) {
    const ref = { namespace, name: revisionName(restore, what) };
    const found = await ignoring(NotFound, () => kube.get(controllerRevisions, ref, signal));
    const { labels, ownerReferences = [], uid: revisionUid } = found?.metadata ?? {};
    if (labels?.[RESTORE_LABEL] !== uid || ownerReferences.length > 0) continue;
    const vm = await ignoring(NotFound, () => kube.get(wholeVms, { namespace, name: newVM.name }, signal));
    if (vm?.spec[what]?.revisionName !== ref.name)
      await kube.delete(controllerRevisions, ref, { uid: revisionUid }, signal);
    else await kube.patch(controllerRevisions, ref, ownedBy(vm, revisionUid), signal);
  }
}

/** Why KubeVirt would neither change nor start a VM: a revision that it stands on is gone. */
export async function lostRevision(
  kube: Kube,
  { metadata: { namespace } }: VMRestore,
  vmName: string,
  signal: AbortSignal,
): Promise<Why | undefined> {
  const vm = await kube.get(wholeVms, { namespace, name: vmName }, signal);
  for (const name of referencesOf(vm).controllerRevisions) {
    const found = await ignoring(NotFound, () => kube.get(controllerRevisions, { namespace, name }, signal));
    if (found !== undefined) continue;
    const message = `VirtualMachine '${vmName}' stands on ControllerRevision '${name}', which is gone: KubeVirt will not start it. Apply controllerrevision-${name}.yaml from the backup's directory if it is there, or let the VM choose its instancetype and preference anew, and restore again.`;
    return { reason: 'RevisionMissing', message: clip(message) };
  }
  return undefined;
}

function ownedBy(
  { metadata: { name, uid } }: StoredVm,
  revisionUid: string | undefined,
): readonly JsonPatch[] {
  const owner = { apiVersion: wholeVms.apiVersion, kind: wholeVms.kind, name, uid, controller: true };
  return [
    { op: 'test', path: '/metadata/uid', value: revisionUid },
    { op: 'add', path: '/metadata/ownerReferences', value: [owner] },
  ];
}
