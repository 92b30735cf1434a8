import type { RestorePlan } from '../../crds/vmrestore.ts';
import { claimNameOf } from '../volumes.ts';
import type { StoredVm } from './inspection.ts';
import { RESTORED_AT_ANNOTATION } from './names.ts';
import { onClaim } from './on-claim.ts';

/** One step of a JSON patch (RFC 6902). */
export type PatchStep =
  | { readonly op: 'test' | 'add' | 'replace'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string };

/**
 * Turns a VM's volumes to the restored claims, in one patch: all disks or none. Firmware, MAC addresses and everything else stay as they
 * are. A volume from a dataVolumeTemplate becomes a claim, and its template goes: KubeVirt would import it anew.
 * @param vm as it is now, whole
 * @param now RFC 3339
 * @returns nothing if it was done before, or if the VM was started meanwhile: it must stop first
 */
export function switchDisks(vm: StoredVm, plan: RestorePlan, now: string): readonly PatchStep[] {
  const volumes = vm.spec.template.spec.volumes ?? [];
  const claims = new Map(plan.claims.map((claim) => [claim.volume, claim]));
  const turned = volumes.map((volume) => {
    const claim = claims.get(volume.name);
    return claim === undefined ? volume : onClaim(volume, claim.claimName);
  });
  if (isSwitched(vm, plan) || !isHeld(vm)) return [];
  const gone = new Set(plan.claims.map(({ replaces }) => replaces));
  const templates = vm.spec.dataVolumeTemplates;
  const kept = templates?.filter(({ metadata }) => !gone.has(metadata.name));
  const annotations = { ...vm.metadata.annotations, [RESTORED_AT_ANNOTATION]: now };
  return [
    { op: 'test', path: '/metadata/uid', value: vm.metadata.uid },
    ...(vm.spec.runStrategy === undefined
      ? []
      : [{ op: 'test', path: '/spec/runStrategy', value: vm.spec.runStrategy } as const]),
    // Whoever changed the volumes meanwhile knew something that this plan does not.
    { op: 'test', path: '/spec/template/spec/volumes', value: volumes },
    { op: 'replace', path: '/spec/template/spec/volumes', value: turned },
    ...(templates !== undefined && kept?.length !== templates.length
      ? [{ op: 'replace', path: '/spec/dataVolumeTemplates', value: kept } as const]
      : []),
    { op: 'add', path: '/metadata/annotations', value: annotations },
  ];
}

/** Whether nobody but a person starts the VM. */
export function isHeld({
  spec,
}: {
  readonly spec: { readonly runStrategy?: string | undefined; readonly running?: boolean | undefined };
}): boolean {
  if (spec.runStrategy === undefined) return spec.running !== true;
  return spec.runStrategy === 'Halted' || spec.runStrategy === 'Manual';
}

/** Whether a VM stands on all the restored claims. */
export function isSwitched(
  {
    spec,
  }: {
    readonly spec: {
      readonly template: {
        readonly spec: { readonly volumes?: StoredVm['spec']['template']['spec']['volumes'] };
      };
    };
  },
  plan: RestorePlan,
): boolean {
  return plan.claims.every(({ volume, claimName }) => {
    const found = spec.template.spec.volumes?.find(({ name }) => name === volume);
    return found !== undefined && claimNameOf(found) === claimName;
  });
}

/** Sets how a VM runs. `running` is the older way to say so, and KubeVirt refuses both together. */
export function setRunStrategy(vm: StoredVm, runStrategy: string): readonly PatchStep[] {
  if (vm.spec.runStrategy === runStrategy && vm.spec.running === undefined) return [];
  return [
    { op: 'test', path: '/metadata/uid', value: vm.metadata.uid },
    ...(vm.spec.running === undefined ? [] : [{ op: 'remove', path: '/spec/running' } as const]),
    { op: 'add', path: '/spec/runStrategy', value: runStrategy },
  ];
}
