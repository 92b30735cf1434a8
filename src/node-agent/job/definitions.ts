import { stringify } from 'yaml';
import { persistentVolumeClaims } from '../../crds/core.ts';
import { virtualMachines } from '../../crds/kubevirt.ts';
import type { Plan } from '../../crds/vmbackup.ts';
import type { Kube } from '../../kube/client.ts';
import type { Kind, KubeObject, Ref } from '../../kube/kind.ts';

/** What a restore needs to know besides the disks. */
export interface Definitions {
  readonly vmUid: string;
  /** Goes into the manifest. */
  readonly objects: Record<string, unknown>;
  /** Files beside the manifest, for people to read and compare. */
  readonly files: readonly { readonly name: string; readonly content: string }[];
}

/** Reads the VM and its claims whole, as they are now. Throws what {@link Kube.get} throws. */
export async function readDefinitions(
  kube: Kube,
  vm: Ref,
  plan: Plan,
  domainXml: string,
  signal: AbortSignal,
): Promise<Definitions> {
  const machine = await kube.get(whole(virtualMachines), vm, signal);
  const claims = plan.disks.flatMap(({ claim }) => (claim ? [claim.name] : []));
  const read = (name: string) =>
    kube.get(whole(persistentVolumeClaims), { namespace: vm.namespace, name }, signal);
  const persistent = await Promise.all(claims.map(read));
  const objects = { virtualMachine: lasting(machine), persistentVolumeClaims: persistent.map(lasting) };
  return {
    vmUid: machine.metadata.uid ?? '',
    objects,
    files: [
      { name: 'domain.xml', content: domainXml },
      { name: 'vm.yaml', content: stringify(objects.virtualMachine) },
      ...persistent.map((claim) => ({
        name: `pvc-${claim.metadata.name}.yaml`,
        content: stringify(lasting(claim)),
      })),
    ],
  };
}

/** The same kind, unparsed: a restore wants every field, not only those that we read. */
function whole(kind: Pick<Kind, 'apiVersion' | 'kind' | 'plural' | 'namespaced'>): Kind {
  return { ...kind, parse: (raw) => raw as KubeObject };
}

/** Without what the API server writes for itself. */
function lasting(object: KubeObject): unknown {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  return { ...object, metadata };
}
