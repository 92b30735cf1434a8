import type { BackupType, ChainPosition, Execution, Plan } from '../crds/vmbackup.ts';

/** What a good backup is in the end. */
export interface Outcome {
  readonly type: BackupType;
  readonly typeReason: string;
  readonly chain: ChainPosition;
}

/** The report of the plan's own attempt; a report of another attempt comes from the past and counts for nothing. */
export function currentExecution(
  plan: Plan | undefined,
  execution: Execution | undefined,
): Execution | undefined {
  return plan !== undefined && execution?.attempt === plan.attempt ? execution : undefined;
}

/** Whether the data of this attempt is committed in the repository. */
export function hasSucceeded(execution: Execution): boolean {
  return execution.completedAt !== undefined && execution.error === undefined;
}

/**
 * What came of a plan that succeeded. What an earlier attempt had committed is what its manifest says. When every disk got a full although an incremental was planned, the backup stands alone:
 * it is a Full and begins its own chain. When only some did, it is still the planned link of the planned chain.
 * @param backupUid the UID of the VMBackup, which names a chain that begins with it
 */
export function outcomeOf(plan: Plan, execution: Execution, backupUid: string): Outcome {
  const disks = execution.disks ?? [];
  if (execution.chain !== undefined) {
    const isIncremental = disks.some(({ type }) => type === 'Incremental');
    const typeReason = disks[0]?.reason ?? plan.reason;
    return { type: isIncremental ? 'Incremental' : 'Full', typeReason, chain: execution.chain };
  }
  const allFull = disks.length > 0 && disks.every((disk) => disk.type === 'Full');
  if (plan.type === 'Incremental' && allFull) {
    const typeReason = execution.incrementalFallback?.reason ?? disks[0]?.reason ?? plan.reason;
    return { type: 'Full', typeReason, chain: { id: backupUid, position: 0 } };
  }
  return { type: plan.type, typeReason: plan.reason, chain: plan.chain };
}
