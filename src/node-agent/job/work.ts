import type { Execution, Plan, VMBackup } from '../../crds/vmbackup.ts';

/** What one VMBackup asks of the agent on one node. */
export type Work =
  | { readonly kind: 'None' }
  /** Carry the plan out: begin it, or go on where a killed agent left off. */
  | { readonly kind: 'CarryOut'; readonly plan: Plan; readonly execution: Execution };

/**
 * Reads off the object whether there is work. An attempt is taken up once: what an earlier run of this agent reported of
 * the same attempt is kept, what was reported of an earlier attempt is not.
 */
export function workOf(backup: VMBackup, nodeName: string, now: Date): Work {
  const plan = backup.status?.plan;
  if (plan === undefined || plan.nodeName !== nodeName) return { kind: 'None' };
  if (backup.metadata.deletionTimestamp !== undefined) return { kind: 'None' };
  const phase = backup.status?.phase;
  if (phase === 'Succeeded' || phase === 'Failed') return { kind: 'None' };
  const reported = backup.status?.execution;
  if (reported !== undefined && reported.attempt > plan.attempt) return { kind: 'None' };
  if (reported?.attempt === plan.attempt) {
    return reported.completedAt === undefined
      ? { kind: 'CarryOut', plan, execution: reported }
      : { kind: 'None' };
  }
  const execution = { attempt: plan.attempt, agent: nodeName, startedAt: now.toISOString() };
  return { kind: 'CarryOut', plan, execution };
}
