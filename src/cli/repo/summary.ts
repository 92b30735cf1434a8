import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';

/** What someone must look at. */
const NEEDS = ['NotReady', 'LowSpace', 'DataDamaged', 'Drift', 'UpkeepFails'] as const;
export type RepositoryNeed = (typeof NEEDS)[number];

/** How a repository stands. What is not known (yet) is left out; times are RFC 3339. */
export interface RepositorySummary {
  readonly name: string;
  readonly ready: boolean;
  /** Why it is not ready, or where space is low: the words of the condition. */
  readonly messages: Readonly<Partial<Record<RepositoryNeed, string>>>;
  readonly freeBytes?: number | undefined;
  readonly capacityBytes?: number | undefined;
  /** What the last listing of the repository counted; the repository is the truth, and not the objects. */
  readonly backups?: number | undefined;
  readonly storedBytes?: number | undefined;
  readonly dataWithoutObject?: number | undefined;
  readonly objectsWithoutData?: number | undefined;
  readonly unreadable?: number | undefined;
  readonly otherClusters?: number | undefined;
  readonly listedAt?: string | undefined;
  readonly damaged?: number | undefined;
  readonly scrubbedAt?: string | undefined;
  readonly needs: readonly RepositoryNeed[];
}

/** Reads how a repository stands from its status. */
export function summaryOf({ metadata, status }: VMBackupRepository): RepositorySummary {
  const messages = messagesOf(metadata.name, status);
  const { catalogue, scrub } = status ?? {};
  return {
    name: metadata.name,
    ready: messages.NotReady === undefined,
    messages,
    freeBytes: status?.freeBytes,
    capacityBytes: status?.capacityBytes,
    backups: catalogue?.backups,
    storedBytes: catalogue?.storedBytes,
    dataWithoutObject: catalogue?.dataWithoutObject,
    objectsWithoutData: catalogue?.objectsWithoutData,
    unreadable: catalogue?.unreadable,
    otherClusters: catalogue?.otherClusters,
    listedAt: catalogue?.lastTime,
    damaged: scrub?.damagedCount,
    scrubbedAt: scrub?.lastFullPassAt,
    needs: NEEDS.filter((need) => messages[need] !== undefined),
  };
}

type Status = VMBackupRepository['status'];

function messagesOf(name: string, status: Status): RepositorySummary['messages'] {
  const condition = (type: string) => status?.conditions?.find((each) => each.type === type);
  const [ready, space, health] = ['Ready', 'LowSpace', 'DataHealthy'].map(condition);
  const drift = driftOf(name, status);
  const upkeep = condition('UpkeepHealthy');
  return {
    ...(ready?.status !== 'True' && { NotReady: ready?.message ?? 'no node agent has looked at it yet.' }),
    ...(space?.status === 'True' && { LowSpace: space.message }),
    ...(health?.status === 'False' && { DataDamaged: health.message }),
    ...(drift !== undefined && { Drift: drift }),
    ...(upkeep?.status === 'False' && { UpkeepFails: upkeep.message }),
  };
}

/** Where the repository and the objects do not agree, and what to do. */
function driftOf(name: string, status: Status): string | undefined {
  const { dataWithoutObject = 0, objectsWithoutData = 0, unreadable = 0 } = status?.catalogue ?? {};
  const parts = [
    ...(dataWithoutObject > 0
      ? [`${dataWithoutObject} without a VMBackup (kubectl tidemark repo import ${name} makes them again)`]
      : []),
    ...(objectsWithoutData > 0 ? [`${objectsWithoutData} VMBackups whose data is gone`] : []),
    ...(unreadable > 0 ? [`${unreadable} directories that cannot be read`] : []),
  ];
  if (parts.length === 0) return undefined;
  return `${parts.join(', ')}: kubectl describe tmrepo ${name} names some.`;
}
