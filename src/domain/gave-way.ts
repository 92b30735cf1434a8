import type { Plan } from '../crds/vmbackup.ts';

/**
 * Ends of an attempt that are no failures: the VM comes before its backup, or the agent was stopped for an update. Such an attempt
 * costs none of the tries, and the next one follows soon.
 */
const REASONS: ReadonlySet<string> = new Set([
  'MigrationWanted',
  'AgentStopped',
  'VMNotOnNode',
  'VMNotRunning',
]);

/** So often may a backup give way before it is given up: a VM that never rests is a case for a person. */
export const MOST_GIVEN_WAY = 20;

/** Whether an attempt that ended for this reason gave way, rather than failed. */
export function gaveWay(reason: string): boolean {
  return REASONS.has(reason);
}

/** How many attempts before this one ended without having failed. */
export function givenWayBefore({ attempt, failedAttempts = 0 }: Plan): number {
  return attempt - 1 - failedAttempts;
}
