import { stringify } from 'yaml';
import { z } from 'zod';
import { type KindOf, ObjectMeta } from '../../crds/api.ts';
import { persistentVolumeClaims } from '../../crds/core.ts';
import { virtualMachineInstances, virtualMachines } from '../../crds/kubevirt.ts';
import { claimNameOf } from '../../domain/volumes.ts';
import { NotFound } from '../../kube/errors.ts';
import type { Kind, KubeObject, Ref } from '../../kube/kind.ts';
import type { Attempt, RunningVm } from './attempt.ts';
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

/**
 * Reads the VM and its claims whole, as they are now, and makes sure that they are those that the plan was made for: between
 * plan and begin the VM may have been made anew or got another disk by the same name, with a bitmap in an overlay that was kept. An
 * incremental would then put the changes of one disk upon the data of another.
 *
 * @throws AttemptFailed `DefinitionMissing` when one of them is gone; `VMReplaced`, `DiskReplaced`: to be planned anew.
 */
export async function readDefinitions(
  { kube, backup, plan }: Pick<Attempt, 'kube' | 'backup' | 'plan'>,
  { vmi, domain }: Pick<RunningVm, 'vmi' | 'domain'>,
  signal: AbortSignal,
): Promise<Definitions> {
  const { namespace } = backup.metadata;
  const get = async (kind: KindOf<unknown>, ref: Ref) => {
    try {
      return await kube.get(whole(kind), ref, signal);
    } catch (cause) {
      if (!(cause instanceof NotFound)) throw cause;
      const message = `The ${kind.kind} ${ref.name} is gone: without its definition nobody could restore the VM.`;
      throw new AttemptFailed('DefinitionMissing', message, { cause });
    }
  };
  const machine = await get(virtualMachines, { namespace, name: backup.spec.vmName });
  if (machine.metadata.uid !== plan.vmUid)
    throw new AttemptFailed('VMReplaced', 'The VM was made anew since this attempt was planned.');
  const volumes = new Map(vmi.spec?.volumes?.map((volume) => [volume.name, claimNameOf(volume)]));
  const planned = plan.disks.flatMap(({ volume, claim }) => (claim ? [{ volume, claim }] : []));
  const persistent = await Promise.all(
    planned.map(async ({ volume, claim }) => {
      const found = await get(persistentVolumeClaims, { namespace, name: claim.name });
      if (found.metadata.uid === claim.uid && volumes.get(volume) === claim.name) return found;
      const message = `Volume '${volume}' has another PersistentVolumeClaim than '${claim.name}' of when this attempt was planned.`;
      throw new AttemptFailed('DiskReplaced', message);
    }),
  );
  const instance = await get(virtualMachineInstances, { namespace, name: backup.spec.vmName });
  const objects = {
    virtualMachine: lasting(machine),
    persistentVolumeClaims: persistent.map(lasting),
    identity: identityOf(instance),
  };
  return {
    vmUid: machine.metadata.uid ?? '',
    objects,
    files: [
      { name: 'domain.xml', content: domain.xml },
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

const Effective = z.object({
  spec: z.object({
    domain: z
      .object({
        firmware: z.object({ uuid: z.string().optional(), serial: z.string().optional() }).optional(),
      })
      .optional(),
  }),
  status: z
    .object({
      interfaces: z.array(z.object({ name: z.string().optional(), mac: z.string().optional() })).optional(),
    })
    .optional(),
});

/** What guest and network know the VM by. KubeVirt makes up what the VM leaves open, and only the instance tells. */
function identityOf(instance: KubeObject): object {
  const { spec, status } = Effective.parse(instance);
  const macs = (status?.interfaces ?? []).flatMap(({ name, mac }) =>
    name && mac ? [[name, mac] as const] : [],
  );
  return {
    ...(spec.domain?.firmware && { firmware: spec.domain.firmware }),
    ...(macs.length > 0 && { macAddresses: Object.fromEntries(macs) }),
  };
}

/** Without what the API server writes for itself. */
function lasting(object: KubeObject): unknown {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & {
    managedFields?: unknown;
  };
  return { ...object, metadata };
}
