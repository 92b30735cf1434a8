import type { PersistentVolumeClaim } from '../../crds/core.ts';
import type { VirtualMachine, VirtualMachineInstance } from '../../crds/kubevirt.ts';
import type { PlannedClaim, RestorePlan } from '../../crds/vmrestore.ts';
import type { JobStanding } from '../job/job-standing.ts';
import type { Why } from '../why.ts';
import type { Inspection } from './inspection.ts';
import type { RestoreSource, SourceQuestion } from './source.ts';

/** All that the decision on one VMRestore looks at: plain data, as the cluster had it at one instant. */
export interface RestoreWorld extends SourceQuestion {
  /** Its Jobs, by name. */
  readonly jobs: ReadonlyMap<string, JobStanding>;
  /** What the check Job told; undefined as long as it has not, or if its log is gone. */
  readonly inspection: Inspection | undefined;
  /** Why what it told cannot be read, although it is there. */
  readonly unreadable?: Why | undefined;
  /** Claims of the namespace, by name. */
  readonly claims: ReadonlyMap<string, PersistentVolumeClaim>;
  /** The VM that the target names. */
  readonly vm: VirtualMachine | undefined;
  readonly vmi: VirtualMachineInstance | undefined;
  /** The very VM that was backed up, if it is still there, in whatever namespace. */
  readonly original?: VirtualMachine | undefined;
}

/** What is to be done with one VMRestore now. Each of them is safe to be done twice. */
export type RestoreStep =
  | { readonly kind: 'Settled' }
  | { readonly kind: 'Wait'; readonly why: Why; readonly needsPerson: boolean }
  | { readonly kind: 'Check'; readonly source: RestoreSource }
  /** The check is done, and what it said is lost: ask again. */
  | { readonly kind: 'CheckAgain' }
  /** Reads all of the chain first. */
  | { readonly kind: 'Verify'; readonly source: RestoreSource }
  | { readonly kind: 'RecordPlan'; readonly plan: RestorePlan; readonly isDryRun: boolean }
  | { readonly kind: 'StopVm'; readonly vmName: string }
  | { readonly kind: 'MakeClaims'; readonly claims: readonly PlannedClaim[] }
  | { readonly kind: 'Write'; readonly source: RestoreSource; readonly claims: readonly PlannedClaim[] }
  | { readonly kind: 'Writing' }
  | { readonly kind: 'MakeVm'; readonly inspection: Inspection }
  /** The overlays in which KubeVirt notes changes lie over the disks of before: they must not lie over the restored ones. */
  | { readonly kind: 'ForgetChanges'; readonly source: RestoreSource; readonly claimNames: readonly string[] }
  /** The VM ran since, and made such overlays anew. */
  | { readonly kind: 'ForgetAgain'; readonly claimNames: readonly string[] }
  | { readonly kind: 'SwitchDisks'; readonly vmName: string }
  | { readonly kind: 'StartVm'; readonly vmName: string; readonly runStrategy: string }
  | { readonly kind: 'Succeed' }
  /** Something cannot be: record it; from then on what was begun is undone. */
  | { readonly kind: 'Fail'; readonly why: Why }
  | { readonly kind: 'Undo'; readonly claims: readonly string[]; readonly startVm: StartVm | undefined };

export interface StartVm {
  readonly vmName: string;
  readonly runStrategy: string;
}

export function waits(reason: string, message: string): RestoreStep {
  return { kind: 'Wait', why: { reason, message }, needsPerson: false };
}

/** What a Job that only looks holds up; undefined when it is done. */
export function ofLookingJob(
  standing: JobStanding,
  reason: string,
  message: string,
): RestoreStep | undefined {
  if (standing.kind === 'Waiting') return { kind: 'Wait', why: standing.why, needsPerson: false };
  if (standing.kind === 'Failed') return { kind: 'Fail', why: standing.why };
  return standing.kind === 'Running' ? waits(reason, message) : undefined;
}
