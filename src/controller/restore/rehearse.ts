import { persistentVolumeClaims } from '../../crds/core.ts';
import { virtualMachines } from '../../crds/kubevirt.ts';
import type { RestorePlan, VMRestore } from '../../crds/vmrestore.ts';
import type { Definitions } from '../../domain/restore/inspection.ts';
import { newClaim } from '../../domain/restore/new-claim.ts';
import { newVm } from '../../domain/restore/new-vm.ts';
import type { RestoreStep, RestoreWorld } from '../../domain/restore/step.ts';
import { clip, type Why } from '../../domain/why.ts';
import { AlreadyExists, Forbidden, Invalid, KubeError } from '../../kube/errors.ts';
import type { ActContext } from './act.ts';
import { ignoring } from './ignoring.ts';
import { lostRevision, makeRevisions, settleRevisions } from './revisions.ts';

/**
 * Before a plan is recorded, the API server is asked whether it would take all that the plan makes: names, quota, storage classes that a
 * policy forbids, and what KubeVirt's webhooks say to the VM (an instancetype that is not there). Nothing is made.
 */
export async function rehearse(
  { restore, inspection }: RestoreWorld,
  step: RestoreStep,
  context: ActContext,
  signal: AbortSignal,
): Promise<RestoreStep> {
  if (step.kind !== 'RecordPlan') return step;
  const { plan } = step;
  const { kube } = context;
  try {
    for (const claim of plan.claims)
      await orIsThere(() => kube.rehearse(persistentVolumeClaims, newClaim(restore, claim), signal));
    const { newVM, inPlace } = restore.spec.target;
    if (newVM !== undefined && inspection !== undefined)
      await rehearseVm(restore, plan, inspection.definitions, context, signal);
    const why = inPlace && (await lostRevision(kube, restore, inPlace.vmName, signal));
    if (why !== undefined) return { kind: 'Fail', why };
    return step;
  } catch (error) {
    const why = refusalOf(error);
    if (why === undefined) throw error;
    return { kind: 'Fail', why };
  }
}

/** KubeVirt looks for the revisions while it is asked. They belong to no VM yet, so they go again. */
async function rehearseVm(
  restore: VMRestore,
  plan: RestorePlan,
  definitions: Definitions,
  { kube, now }: ActContext,
  signal: AbortSignal,
): Promise<void> {
  try {
    await makeRevisions(kube, restore, definitions, signal);
    const vm = newVm(restore, plan, definitions, now.toISOString());
    await orIsThere(() => kube.rehearse(virtualMachines, vm, signal));
  } finally {
    await settleRevisions(kube, restore, signal);
  }
}

/** What the API server will go on refusing; undefined for what may pass. */
export function refusalOf(error: unknown): Why | undefined {
  const isRefusal =
    error instanceof Invalid ||
    error instanceof Forbidden ||
    (error instanceof KubeError && error.status === 400);
  return isRefusal ? { reason: 'Refused', message: clip(error.message) } : undefined;
}

/** What is there is ours, of before the controller was killed: the plan has looked at that. */
function orIsThere(ask: () => Promise<void>): Promise<void> {
  return ignoring(AlreadyExists, ask);
}
