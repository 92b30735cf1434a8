import type { KindOf } from '../crds/api.ts';
import { persistentVolumeClaims } from '../crds/core.ts';
import {
  controllerRevisions,
  dataVolumes,
  instancetypeKinds,
  type WholeObject,
  whole,
} from '../crds/definitions.ts';
import { virtualMachineInstances, virtualMachines } from '../crds/kubevirt.ts';
import type { VmObjects } from '../domain/definitions/describe.ts';
import { referencesOf } from '../domain/definitions/references.ts';
import type { Kube } from '../kube/client.ts';
import { NotFound } from '../kube/errors.ts';
import type { Ref } from '../kube/kind.ts';

/** A VM or a claim is gone without which nobody could restore it. */
export class DefinitionMissing extends Error {
  readonly reason = 'DefinitionMissing';
}

/**
 * Reads whole, as they are now, the VM, its claims, and what its definition names. Secrets and ConfigMaps are not read.
 * @param claims names of the claims that are backed up
 * @throws DefinitionMissing without the VM or a claim; whatever else it names may be missing
 */
export async function readVmObjects(
  kube: Kube,
  vm: Ref,
  claims: readonly string[],
  signal: AbortSignal,
): Promise<VmObjects> {
  const { namespace } = vm;
  const find = async (kind: KindOf<unknown>, name: string): Promise<WholeObject | undefined> => {
    try {
      return await kube.get(whole(kind), kind.namespaced ? { namespace, name } : { name }, signal);
    } catch (error) {
      if (error instanceof NotFound) return undefined;
      throw error;
    }
  };
  const get = async (kind: KindOf<unknown>, name: string): Promise<WholeObject> => {
    const found = await find(kind, name);
    if (found !== undefined) return found;
    throw new DefinitionMissing(
      `The ${kind.kind} ${name} is gone: without its definition nobody could restore the VM.`,
    );
  };
  const all = async (kind: KindOf<unknown>, names: readonly string[]): Promise<readonly WholeObject[]> =>
    (await Promise.all(names.map((name) => find(kind, name)))).filter((it) => it !== undefined);
  const taken = async (from: { readonly kind: string; readonly name: string } | undefined) => {
    const kind = instancetypeKinds.find((it) => it.kind.toLowerCase() === from?.kind.toLowerCase());
    return kind && from && (await find(kind, from.name));
  };
  const machine = await get(virtualMachines, vm.name);
  const names = referencesOf(machine);
  return {
    machine,
    instance: await find(virtualMachineInstances, vm.name),
    claims: await Promise.all(claims.map((name) => get(persistentVolumeClaims, name))),
    dataVolumes: await all(dataVolumes, names.dataVolumes),
    instancetype: await taken(names.instancetype),
    preference: await taken(names.preference),
    controllerRevisions: await all(controllerRevisions, names.controllerRevisions),
  };
}
