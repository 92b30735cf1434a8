import type { VMBackupRepository, VMBackupRepositoryStatus } from '../../crds/vmbackuprepository.ts';
import { humanSize } from '../../domain/columns.ts';
import type { Readiness } from '../../domain/repository-readiness.ts';
import { conditionsFor } from '../../kube/conditions.ts';

/** Free space is told in steps of this part of the whole: a status that changes with each byte would wake everyone. */
const FREE_STEPS = 1000;

/** The status of a repository, from what the agents found. */
export function repositoryStatus(
  { metadata, status }: VMBackupRepository,
  readiness: Readiness,
  now: Date,
): Partial<VMBackupRepositoryStatus> {
  const generation = metadata.generation ?? 0;
  const { ready, reason, message, nodes, readyNodes, capacityBytes } = readiness;
  const freeBytes = inSteps(readiness.freeBytes, capacityBytes);
  const condition = { type: 'Ready', status: ready ? 'True' : 'False', reason, message } as const;
  return {
    observedGeneration: generation,
    conditions: [...conditionsFor(status?.conditions ?? [], [condition], { generation, now })],
    capacityBytes,
    freeBytes,
    ...(freeBytes === undefined ? {} : { free: humanSize(freeBytes) }),
    nodes,
    readyNodes,
  };
}

function inSteps(freeBytes: number | undefined, capacityBytes: number | undefined): number | undefined {
  if (freeBytes === undefined || capacityBytes === undefined) return freeBytes;
  const step = Math.max(1, Math.floor(capacityBytes / FREE_STEPS));
  return Math.floor(freeBytes / step) * step;
}
