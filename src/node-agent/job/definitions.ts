import { stringify } from 'yaml';
import { z } from 'zod';
import { type KindOf, ObjectMeta } from '../../crds/api.ts';
import { persistentVolumeClaims } from '../../crds/core.ts';
import { virtualMachines } from '../../crds/kubevirt.ts';
import type { Plan } from '../../crds/vmbackup.ts';
import type { Kube } from '../../kube/client.ts';
import { NotFound } from '../../kube/errors.ts';
import type { Kind, KubeObject, Ref } from '../../kube/kind.ts';
import { AttemptFailed } from './attempt-failed.ts';

/** Every field passes; only what identifies the object is checked. */
const Whole = z.looseObject({ metadata: ObjectMeta.loose() });

/** What a restore needs to know besides the disks. */
export interface Definitions {
  readonly vmUid: string;
  /** Goes into the manifest. */
  readonly objects: Record<string, unknown>;
  /** Files beside the manifest, for people to read and compare. */
  readonly files: readonly { readonly name: string; readonly content: string }[];
}

/** Reads the VM and its claims whole, as they are now. @throws AttemptFailed `DefinitionMissing` when one of them is gone. */
export async function readDefinitions(
  kube: Kube,
  vm: Ref,
  plan: Plan,
  domainXml: string,
  signal: AbortSignal,
): Promise<Definitions> {
  const get = async (kind: KindOf<unknown>, ref: Ref) => {
    try {
      return await kube.get(whole(kind), ref, signal);
    } catch (cause) {
      if (!(cause instanceof NotFound)) throw cause;
      const message = `The ${kind.kind} ${ref.name} is gone: without its definition nobody could restore the VM.`;
      throw new AttemptFailed('DefinitionMissing', message, { cause });
    }
  };
  const machine = await get(virtualMachines, vm);
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
function whole(kind: KindOf<unknown>): Kind {
  return { ...kind, parse: (raw) => Whole.parse(raw) };
}

/** Without what the API server writes for itself. */
function lasting(object: KubeObject): unknown {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  return { ...object, metadata };
}
