import { persistentVolumeClaims } from '../../crds/core.ts';
import { virtualMachines } from '../../crds/kubevirt.ts';
import { newClaim } from '../../domain/restore/new-claim.ts';
import { newVm } from '../../domain/restore/new-vm.ts';
import type { RestoreStep, RestoreWorld } from '../../domain/restore/step.ts';
import { clip, type Why } from '../../domain/why.ts';
import { AlreadyExists, Forbidden, Invalid, KubeError } from '../../kube/errors.ts';
import type { ActContext } from './act.ts';

/**
 * Before a plan is recorded, the API server is asked whether it would take all that the plan makes: names, quota, storage classes that a
 * policy forbids, and what KubeVirt's webhooks say to the VM (an instancetype that is not there). Nothing is made.
 */
export async function rehearse(
  { restore, inspection }: RestoreWorld,
  step: RestoreStep,
  { kube, now }: ActContext,
  signal: AbortSignal,
): Promise<RestoreStep> {
  if (step.kind !== 'RecordPlan') return step;
  const { plan } = step;
  try {
    for (const claim of plan.claims)
      await orIsThere(kube.rehearse(persistentVolumeClaims, newClaim(restore, claim), signal));
    if (restore.spec.target.newVM !== undefined && inspection !== undefined) {
      const vm = newVm(restore, plan, inspection.definitions, now.toISOString());
      await orIsThere(kube.rehearse(virtualMachines, vm, signal));
    }
    return step;
  } catch (error) {
    const why = refusalOf(error);
    if (why === undefined) throw error;
    return { kind: 'Fail', why };
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

/** Ours, of before the controller was killed: the plan has looked at that. */
async function orIsThere(asked: Promise<void>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof AlreadyExists)) throw error;
  }
}
