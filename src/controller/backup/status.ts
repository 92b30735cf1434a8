import type { Phase, Plan, VMBackup, VMBackupStatus } from '../../crds/vmbackup.ts';
import { attemptRecords } from '../../domain/attempt-records.ts';
import { humanSize, secondsOf, storedBytes } from '../../domain/columns.ts';
import { type BackupDecision, waitingSinceAfter } from '../../domain/decide-backup.ts';
import { tellExecutor } from '../../domain/executor.ts';
import { type Outcome, outcomeOf } from '../../domain/outcome.ts';
import { clip } from '../../domain/why.ts';
import { conditionsFor, type Desired } from '../../kube/conditions.ts';

/**
 * The controller's part of a backup's status. Ready is Unknown while it is under way, True when the data is in the repository, and
 * False when it failed for good; only then is it Stalled.
 * @param now for the conditions' transition times
 */
export function backupStatus(backup: VMBackup, decision: BackupDecision, now: Date): Partial<VMBackupStatus> {
  const { metadata, status } = backup;
  const generation = metadata.generation ?? 0;
  const plan = decision.kind === 'Plan' ? decision.plan : status?.plan;
  const attempts = attemptRecords({ status }, 'abandoned' in decision ? decision.abandoned : undefined, now);
  return {
    observedGeneration: generation,
    conditions: [
      ...conditionsFor(status?.conditions ?? [], desired(decision, metadata.uid), { generation, now }),
    ],
    phase: phaseOf(decision),
    plan,
    waitingSince: waitingSinceAfter(backup, decision, now),
    ...(attempts.length > 0 && { attempts: [...attempts] }),
    ...outcomeFor(decision, metadata.uid),
    ...figures(decision),
  };
}

function desired(decision: BackupDecision, uid: string): readonly Desired[] {
  switch (decision.kind) {
    case 'Plan':
      return [reconciling('Assigned', tellPlan(decision.plan))];
    case 'Wait':
      return [reconciling(decision.why.reason, decision.why.message)];
    case 'InProgress': {
      const { kind, plan } = decision.standing;
      return [reconciling(kind, kind === 'Assigned' ? tellPlan(plan) : tellRunning(plan))];
    }
    case 'Succeeded': {
      const message = tellSuccess(decision, uid);
      return [{ type: 'Ready', status: 'True', reason: 'Succeeded', message }];
    }
    case 'Failed':
      return [{ type: 'Stalled', status: 'True', ...decision.why }];
  }
}

function reconciling(reason: string, message: string): Desired {
  return { type: 'Reconciling', status: 'True', reason, message: clip(message) };
}

/** A plan in a sentence. */
export function tellPlan(plan: Plan): string {
  const { attempt, type, reason, message } = plan;
  const executor = lower(tellExecutor(plan));
  return clip(
    `Attempt ${attempt}, ${type} (${reason}), waits for ${executor}. ${message}${tellLeftOut(plan)}`,
  );
}

function tellRunning(plan: Plan): string {
  const where =
    plan.job === undefined ? `on node '${plan.nodeName}'` : `as Job '${plan.job}', for the VM is stopped`;
  return `Attempt ${plan.attempt} runs ${where}.`;
}

function lower(sentence: string): string {
  return sentence.replace(/^The /, 'the ');
}

/** A success in a sentence. */
export function tellSuccess(
  { standing }: Extract<BackupDecision, { kind: 'Succeeded' }>,
  uid: string,
): string {
  const { type, typeReason, chain } = outcomeOf(standing.plan, standing.execution, uid);
  const fallback = standing.execution.incrementalFallback;
  const why = fallback === undefined ? standing.plan.message : fallback.message;
  const place = `${type} (${typeReason}), position ${chain.position} of its chain`;
  return clip(`${place}. ${why}${tellLeftOut(standing.plan)}`);
}

function tellLeftOut({ leftOut = [] }: Plan): string {
  return leftOut.length === 0 ? '' : ` Not in it: ${leftOut.join('; ')}.`;
}

function phaseOf(decision: BackupDecision): Phase {
  switch (decision.kind) {
    case 'Plan':
      return 'Assigned';
    case 'Wait':
      return 'Pending';
    case 'InProgress':
      return decision.standing.kind;
    case 'Succeeded':
    case 'Failed':
      return decision.kind;
  }
}

/** What the backup is, or is going to be; nothing for one that has no data. */
function outcomeFor(decision: BackupDecision, uid: string): Partial<Outcome> {
  switch (decision.kind) {
    case 'Plan': {
      const { type, reason, chain } = decision.plan;
      return { type, typeReason: reason, chain };
    }
    case 'InProgress': {
      const { standing } = decision;
      if (standing.kind === 'Running') return outcomeOf(standing.plan, standing.execution, uid);
      const { type, reason, chain } = standing.plan;
      return { type, typeReason: reason, chain };
    }
    case 'Succeeded':
      return outcomeOf(decision.standing.plan, decision.standing.execution, uid);
    case 'Wait':
    case 'Failed':
      return {};
  }
}

function figures(decision: BackupDecision): Pick<VMBackupStatus, 'size' | 'seconds'> {
  if (decision.kind !== 'Succeeded') return {};
  const { execution } = decision.standing;
  const bytes = storedBytes(execution);
  return { size: bytes === undefined ? undefined : humanSize(bytes), seconds: secondsOf(execution) };
}
