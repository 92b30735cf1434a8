import { persistentVolumeClaims } from '../../crds/core.ts';
import { virtualMachineInstances, virtualMachines } from '../../crds/kubevirt.ts';
import type { VMRestore } from '../../crds/vmrestore.ts';
import type { StoredVm } from '../../domain/restore/inspection.ts';
import { checkJobName, forgetJobName } from '../../domain/restore/names.ts';
import { newClaim } from '../../domain/restore/new-claim.ts';
import { newVm } from '../../domain/restore/new-vm.ts';
import type { RestoreStep, RestoreWorld } from '../../domain/restore/step.ts';
import {
  isSwitched,
  type PatchStep,
  setRunStrategy,
  switchDisks,
} from '../../domain/restore/switch-disks.ts';
import type { Kube } from '../../kube/client.ts';
import { AlreadyExists, NotFound } from '../../kube/errors.ts';
import type { Ref } from '../../kube/kind.ts';
import { ensureJob, removeJob } from '../job/mover-jobs.ts';
import { ignoring } from './ignoring.ts';
import { checkJob, forgetJob, verifyJob, writeJob } from './jobs.ts';
import { makeRevisions, settleRevisions } from './revisions.ts';
import { wholeVms } from './whole-vms.ts';

/** What an effect needs besides the step. */
export interface ActContext {
  readonly kube: Kube;
  /** The image of the Jobs. */
  readonly image: string;
  readonly now: Date;
}

/** Carries a step out. Each begins or continues: done twice, it changes nothing the second time. */
export async function actRestore(
  { restore, jobs }: RestoreWorld,
  step: RestoreStep,
  context: ActContext,
  signal: AbortSignal,
): Promise<void> {
  const { kube, now } = context;
  const { namespace } = restore.metadata;
  const plan = restore.status?.plan;
  switch (step.kind) {
    case 'Check':
      return await ensureJob(kube, checkJob(restore, step.source, context.image), signal);
    case 'Verify':
      return await ensureJob(kube, verifyJob(restore, step.source, context.image), signal);
    case 'CheckAgain':
      return await removeJob(kube, { namespace, name: checkJobName(restore) }, signal);
    case 'MakeClaims':
      for (const claim of step.claims)
        await ignoring(AlreadyExists, () =>
          kube.create(persistentVolumeClaims, newClaim(restore, claim), signal),
        );
      return;
    case 'Write':
      // Whatever the cache says: what a VM stands on is never written again.
      if (await standsOnRestored(kube, restore, signal)) return;
      for (const claim of step.claims)
        await ensureJob(kube, writeJob(restore, step.source, context.image, claim), signal);
      return;
    case 'ForgetChanges':
      for (const claimName of step.claimNames)
        await ensureJob(kube, forgetJob(restore, step.source, context.image, claimName), signal);
      return;
    case 'ForgetAgain':
      for (const claimName of step.claimNames)
        await removeJob(kube, { namespace, name: forgetJobName(restore, claimName) }, signal);
      return;
    case 'MakeVm':
      if (plan !== undefined) {
        const { definitions } = step.inspection;
        await makeRevisions(kube, restore, definitions, signal);
        const vm = newVm(restore, plan, definitions, now.toISOString());
        await ignoring(AlreadyExists, () => kube.create(virtualMachines, vm, signal));
      }
      return;
    case 'SwitchDisks':
      // A run strategy `Manual` stays when the VM is started: its instance would go on with the disks of before.
      if (plan !== undefined && !(await runs(kube, { namespace, name: step.vmName }, signal)))
        await patchVm(kube, restore, step.vmName, (vm) => switchDisks(vm, plan, now.toISOString()), signal);
      return;
    case 'StopVm':
      return await patchVm(kube, restore, step.vmName, (vm) => setRunStrategy(vm, 'Halted'), signal);
    case 'StartVm':
      return await patchVm(kube, restore, step.vmName, (vm) => setRunStrategy(vm, step.runStrategy), signal);
    case 'Undo': {
      for (const name of jobs.keys()) await removeJob(kube, { namespace, name }, signal);
      // The cache may not know yet what was done an instant ago.
      const stands = step.claims.length > 0 && (await standsOnRestored(kube, restore, signal));
      for (const name of stands ? [] : step.claims)
        await kube.delete(persistentVolumeClaims, { namespace, name }, {}, signal);
      await settleRevisions(kube, restore, signal);
      const { startVm } = step;
      if (startVm !== undefined)
        await ignoring(NotFound, () =>
          patchVm(kube, restore, startVm.vmName, (vm) => setRunStrategy(vm, startVm.runStrategy), signal),
        );
      return;
    }
    case 'Succeed':
      return await settleRevisions(kube, restore, signal);
    case 'Settled':
      // Not before the status says so: who finds no Jobs, and no end, would write the disks again.
      for (const name of jobs.keys()) await removeJob(kube, { namespace, name }, signal);
      return;
    case 'RecordPlan':
    case 'Wait':
    case 'Writing':
    case 'Fail':
      return;
  }
}

/** Whether the VM stands on the restored claims, as the API server has it now: they must not be removed then. */
async function standsOnRestored(
  kube: Kube,
  { metadata: { namespace }, status, spec: { target } }: VMRestore,
  signal: AbortSignal,
): Promise<boolean> {
  const name = target.newVM?.name ?? target.inPlace?.vmName;
  if (name === undefined || status?.plan === undefined) return false;
  try {
    return isSwitched(await kube.get(virtualMachines, { namespace, name }, signal), status.plan);
  } catch (error) {
    if (error instanceof NotFound) return false;
    throw error;
  }
}

/** Whether the VM has an instance, as the API server has it now. */
async function runs(kube: Kube, vm: Ref, signal: AbortSignal): Promise<boolean> {
  return (await ignoring(NotFound, () => kube.get(virtualMachineInstances, vm, signal))) !== undefined;
}

async function patchVm(
  kube: Kube,
  { metadata: { namespace } }: VMRestore,
  name: string,
  change: (vm: StoredVm) => readonly PatchStep[],
  signal: AbortSignal,
): Promise<void> {
  const operations = change(await kube.get(wholeVms, { namespace, name }, signal));
  if (operations.length > 0) await kube.patch(virtualMachines, { namespace, name }, operations, signal);
}
