import { forgetJobName, PERSISTENT_STATE_LABEL } from './names.ts';
import type { RestoreSource } from './source.ts';
import { ofLookingJob, type RestoreStep, type RestoreWorld, waits } from './step.ts';
import { isHeld, isSwitched } from './switch-disks.ts';

/** The old disks must stand still from before the new ones are written until the VM stands on those. */
export function stopFirst(
  world: RestoreWorld,
  { vmName, stopVM }: { readonly vmName: string; readonly stopVM: boolean },
): RestoreStep | undefined {
  const { vm, vmi, restore, jobs } = world;
  if (vm === undefined) {
    const message = `VirtualMachine '${vmName}' was deleted while it was to be restored.`;
    return { kind: 'Fail', why: { reason: 'VMNotFound', message } };
  }
  const plan = restore.status?.plan;
  if (plan?.vmUid !== undefined && vm.metadata.uid !== plan.vmUid) {
    const message = `VirtualMachine '${vmName}' was made anew since the plan: restore again, if it is the one you mean.`;
    return { kind: 'Fail', why: { reason: 'VMReplaced', message } };
  }
  // From here on it may run again.
  if (plan !== undefined && isSwitched(vm, plan)) return undefined;
  if (vmi === undefined && isHeld(vm)) return undefined;
  const forgotten = stateClaims(world).filter((name) => jobs.has(forgetJobName(restore, name)));
  if (forgotten.length > 0) return { kind: 'ForgetAgain', claimNames: forgotten };
  if (!stopVM) {
    const message = `VirtualMachine '${vmName}' runs: 'virtctl stop ${vmName}', and the restore goes on by itself. Or delete this VMRestore and make one with target.inPlace.stopVM: true, which stops the VM and starts it again.`;
    return { kind: 'Wait', why: { reason: 'VMRunning', message }, needsPerson: true };
  }
  if (vm.spec.runStrategy !== 'Halted') return { kind: 'StopVm', vmName };
  return waits('VMStopping', `Waits until VirtualMachine '${vmName}' has stopped.`);
}

/** Before the VM stands on the restored disks. */
export function forget(world: RestoreWorld, source: RestoreSource): RestoreStep | undefined {
  const { restore, jobs } = world;
  const standings = stateClaims(world).map((claimName) => ({
    claimName,
    standing: jobs.get(forgetJobName(restore, claimName)) ?? ({ kind: 'Absent' } as const),
  }));
  const absent = standings.filter(({ standing }) => standing.kind === 'Absent');
  if (absent.length > 0)
    return { kind: 'ForgetChanges', source, claimNames: absent.map(({ claimName }) => claimName) };
  for (const { standing } of standings) {
    const pending = ofLookingJob(
      standing,
      'Finishing',
      'Removes the change tracking of the disks of before.',
    );
    if (pending !== undefined) return pending;
  }
  return undefined;
}

/** The claims with KubeVirt's state of the VM that is restored in place. */
function stateClaims({ restore, claims }: RestoreWorld): readonly string[] {
  const vmName = restore.spec.target.inPlace?.vmName;
  return [...claims.values()].flatMap(({ metadata }) =>
    vmName !== undefined && metadata.labels?.[PERSISTENT_STATE_LABEL] === vmName ? [metadata.name] : [],
  );
}
