import type { VirtualMachine } from '../../crds/kubevirt.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { historyOf } from './history.ts';
import { protections } from './protection.ts';
import type { Need, Protection, VmStatus } from './vm-status.ts';

/** What the API server has, in one namespace or in all. */
export interface Observed {
  readonly vms: readonly Pick<VirtualMachine, 'metadata'>[];
  readonly schedules: readonly VMBackupSchedule[];
  readonly backups: readonly VMBackup[];
}

/** How every VM stands, sorted by namespace and name: those that are there, and those that only backups or schedules tell of. */
export function statusReport(observed: Observed, now: number): readonly VmStatus[] {
  const vms = byNamespace(observed.vms);
  const schedules = byNamespace(observed.schedules);
  const backups = byNamespace(observed.backups);
  const namespaces = new Set([...vms.keys(), ...schedules.keys(), ...backups.keys()]);
  return [...namespaces].sort().flatMap((namespace) =>
    namespaceReport(
      namespace,
      {
        vms: vms.get(namespace) ?? [],
        schedules: schedules.get(namespace) ?? [],
        backups: backups.get(namespace) ?? [],
      },
      now,
    ),
  );
}

function namespaceReport(namespace: string, observed: Observed, now: number): readonly VmStatus[] {
  const vms = new Map(observed.vms.map((vm) => [vm.metadata.name, vm]));
  const backups = Map.groupBy(observed.backups, ({ spec }) => spec.vmName);
  const protectedBy = protections(observed.schedules, observed.vms, now);
  const names = new Set([...vms.keys(), ...backups.keys(), ...protectedBy.keys()]);
  return [...names].sort().map((vm) => {
    const uid = vms.get(vm)?.metadata.uid;
    const parts = { namespace, vm, exists: uid !== undefined, protectedBy: protectedBy.get(vm) ?? [] };
    return vmStatus(parts, historyOf(vm, backups.get(vm) ?? [], uid));
  });
}

function vmStatus(
  vm: Pick<VmStatus, 'namespace' | 'vm' | 'exists' | 'protectedBy'>,
  { lastGood, current, lastFailure }: ReturnType<typeof historyOf>,
): VmStatus {
  const nextRun = firstRun(vm.protectedBy);
  const needs: readonly Need[] = [
    ...(vm.protectedBy.some(({ state }) => state === 'Active') ? [] : (['Unprotected'] as const)),
    ...(lastGood === undefined ? (['NoGoodBackup'] as const) : []),
  ];
  return {
    ...vm,
    ...(lastGood && { lastGood }),
    ...(current && { current }),
    ...(lastFailure && { lastFailure }),
    ...(nextRun !== undefined && { nextRun }),
    // Nothing can be done for a VM that is not there.
    needs: vm.exists ? needs : [],
  };
}

/** All times come from Date.toISOString, so the alphabet orders them. */
function firstRun(protectedBy: readonly Protection[]): string | undefined {
  return protectedBy.flatMap(({ nextRun }) => (nextRun === undefined ? [] : [nextRun])).sort()[0];
}

function byNamespace<T extends { readonly metadata: { readonly namespace?: string | undefined } }>(
  objects: readonly T[],
): ReadonlyMap<string, readonly T[]> {
  return Map.groupBy(objects, ({ metadata }) => metadata.namespace ?? '');
}
