import { stringify } from 'yaml';
import type { WholeObject } from '../../crds/definitions.ts';
import { identityOf, persistentStateOf } from './identity.ts';
import { referencesOf } from './references.ts';

/** The objects that make up a VM, whole, as the cluster had them. What was named but is not there is left out. */
export interface VmObjects {
  readonly machine: WholeObject;
  /** Undefined for a VM that does not run. */
  readonly instance: WholeObject | undefined;
  readonly claims: readonly WholeObject[];
  readonly dataVolumes: readonly WholeObject[];
  readonly instancetype: WholeObject | undefined;
  readonly preference: WholeObject | undefined;
  readonly controllerRevisions: readonly WholeObject[];
}

/** What a restore needs to know besides the disks. */
export interface Definitions {
  readonly vmUid: string;
  /** Goes into the manifest; `src/domain/restore/inspection.ts` reads it. */
  readonly objects: Record<string, unknown>;
  /** Files beside the manifest, for people to read and compare. */
  readonly files: readonly { readonly name: string; readonly content: string }[];
}

/** Puts together what a backup says of its VM: once for programs, and once for people. */
export function describeVm(vm: VmObjects): Definitions {
  const { machine, instance, claims, dataVolumes, instancetype, preference, controllerRevisions } = vm;
  const { secrets, configMaps } = referencesOf(machine);
  const uses = {
    secrets: [...secrets],
    configMaps: [...configMaps],
    persistentState: persistentStateOf(machine, instance),
  };
  const identity = identityOf(machine, instance);
  return {
    vmUid: machine.metadata.uid,
    objects: {
      virtualMachine: lasting(machine),
      persistentVolumeClaims: claims.map(lasting),
      identity,
      dataVolumes: dataVolumes.map(lasting),
      ...(instancetype && { instancetype: lasting(instancetype) }),
      ...(preference && { preference: lasting(preference) }),
      controllerRevisions: controllerRevisions.map(lasting),
      uses,
    },
    files: [
      file('vm.yaml', machine),
      { name: 'identity.yaml', content: yaml({ ...identity, ...uses }) },
      ...claims.map((claim) => file(`pvc-${claim.metadata.name}.yaml`, claim)),
      ...dataVolumes.map((volume) => file(`datavolume-${volume.metadata.name}.yaml`, volume)),
      ...(instancetype ? [file('instancetype.yaml', instancetype)] : []),
      ...(preference ? [file('preference.yaml', preference)] : []),
      ...controllerRevisions.map((revision) =>
        file(`controllerrevision-${revision.metadata.name}.yaml`, revision),
      ),
    ],
  };
}

function file(name: string, object: WholeObject): { readonly name: string; readonly content: string } {
  return { name, content: yaml(wished(object)) };
}

/** The same text for the same thing, whatever order the API server had it in. */
function yaml(value: unknown): string {
  return stringify(value, { sortMapEntries: true, aliasDuplicateObjects: false, lineWidth: 0 });
}

/** Without what the API server writes for itself. */
function lasting(object: WholeObject): object {
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** What someone asked for, without what changes by itself: two backups of a VM that nobody touched have the same file. */
function wished(object: WholeObject): object {
  const { status: _, ...rest } = object;
  const {
    managedFields: _m,
    resourceVersion: _r,
    generation: _g,
    annotations,
    ...metadata
  } = object.metadata;
  const { [LAST_APPLIED]: _a, ...kept } = annotations ?? {};
  return {
    ...rest,
    metadata: { ...metadata, ...(Object.keys(kept).length > 0 && { annotations: kept }) },
  };
}
