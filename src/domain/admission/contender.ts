import type { VirtualMachineInstance } from '../../crds/kubevirt.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { Agent } from '../agent-report.ts';
import { isOver, isUnderWay, type Standing, standingOf } from '../standing.ts';
import { runningOn } from '../world.ts';

/** Reason of a backup that waits for a slot on its node, in its repository or of its namespace. */
export const QUEUED = 'Queued';

/** A slot that a backup takes while it runs: of so many, by a name for people. */
export interface Claim {
  readonly key: string;
  readonly limit: number;
  /** What is limited, and where to change it: goes after "10 of 10 backups run". */
  readonly limitedBy: string;
}

/** A backup that takes part in the admission: it runs, or it could begin if it were its turn. */
export interface Contender {
  readonly uid: string;
  readonly repository: string;
  readonly isRunning: boolean;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  readonly priority: number;
  readonly claims: readonly Claim[];
}

/** What the limits of one backup follow from. */
export interface Surroundings {
  readonly repository: VMBackupRepository;
  readonly vmi: VirtualMachineInstance | undefined;
  readonly agentOn: (nodeName: string) => Agent | undefined;
}

/**
 * The part that a backup plays in the admission; undefined for one that is over, being deleted, or waits for something of its own
 * (a VM that does not run, say): that one holds up nobody.
 * @param asks whether it is the backup that asks for its turn now, whatever it waited for until now
 */
export function contenderOf(
  backup: VMBackup,
  surroundings: Surroundings,
  asks: boolean,
): Contender | undefined {
  const { metadata, spec } = backup;
  const standing = standingOf(backup);
  if (isOver(standing)) return undefined;
  const isRunning = isUnderWay(standing);
  if (!isRunning && !asks && !waitsForItsTurn(backup)) return undefined;
  const node = nodeOf(standing, surroundings.vmi);
  const agent = node === undefined ? undefined : surroundings.agentOn(node);
  return {
    uid: metadata.uid,
    repository: spec.repository,
    isRunning,
    createdAt: Date.parse(metadata.creationTimestamp ?? '') || 0,
    priority: spec.priority,
    claims: claimsOf(metadata.namespace ?? '', surroundings.repository, agent),
  };
}

/** One that is assigned takes its slot where it was planned. */
function nodeOf(standing: Standing, vmi: VirtualMachineInstance | undefined): string | undefined {
  if (standing.kind === 'Assigned' || standing.kind === 'Running') return standing.plan.nodeName;
  return runningOn(vmi);
}

/** One that nobody has looked at yet may begin, as far as is known. */
function waitsForItsTurn({ metadata, status }: VMBackup): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  const waits = status?.conditions?.find(({ type, status }) => type === 'Reconciling' && status === 'True');
  return waits === undefined || waits.reason === QUEUED;
}

function claimsOf(
  namespace: string,
  { metadata, spec }: VMBackupRepository,
  agent: Agent | undefined,
): readonly Claim[] {
  const claims: Claim[] = [];
  const { name } = metadata;
  const { maxConcurrentBackups, maxConcurrentBackupsPerNamespace } = spec;
  if (maxConcurrentBackups !== undefined) {
    const limitedBy = 'in it (its spec.maxConcurrentBackups)';
    claims.push({ key: `repository/${name}`, limit: maxConcurrentBackups, limitedBy });
  }
  if (maxConcurrentBackupsPerNamespace !== undefined) {
    const limitedBy = `for namespace '${namespace}' in it (its spec.maxConcurrentBackupsPerNamespace)`;
    claims.push({
      key: `namespace/${name}/${namespace}`,
      limit: maxConcurrentBackupsPerNamespace,
      limitedBy,
    });
  }
  if (agent?.maxBackups !== undefined) {
    const limitedBy = `on node '${agent.nodeName}' (--max-backups of its agent)`;
    claims.push({ key: `node/${agent.nodeName}`, limit: agent.maxBackups, limitedBy });
  }
  return claims;
}
