import { z } from 'zod';
import { type KindOf, ObjectMeta } from './api.ts';

/** An object of which every field passes: it is stored as it is, and only what identifies it is checked. */
export const WholeObject = z.looseObject({
  apiVersion: z.string().optional(),
  kind: z.string().optional(),
  metadata: ObjectMeta.loose(),
});
export type WholeObject = z.infer<typeof WholeObject>;

/** The same kind, unparsed: a restore wants every field, not only those that we read. */
export function whole({ apiVersion, kind, plural, namespaced }: Omit<KindOf<unknown>, 'parse'>) {
  const parse = (raw: unknown): WholeObject => WholeObject.parse(raw);
  return { apiVersion, kind, plural, namespaced, parse } satisfies KindOf<WholeObject>;
}

export const dataVolumes = whole({
  apiVersion: 'cdi.kubevirt.io/v1beta1',
  kind: 'DataVolume',
  plural: 'datavolumes',
  namespaced: true,
});

/** KubeVirt keeps in them what instancetype and preference were when the VM took them. */
export const controllerRevisions = whole({
  apiVersion: 'apps/v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
});

const INSTANCETYPE = 'instancetype.kubevirt.io/v1beta1';

/** By the kind that a VM names, in the case in which the API server knows it. */
export const instancetypeKinds: readonly KindOf<WholeObject>[] = [
  ['VirtualMachineInstancetype', true] as const,
  ['VirtualMachineClusterInstancetype', false] as const,
  ['VirtualMachinePreference', true] as const,
  ['VirtualMachineClusterPreference', false] as const,
].map(([kind, namespaced]) =>
  whole({ apiVersion: INSTANCETYPE, kind, plural: `${kind.toLowerCase()}s`, namespaced }),
);
