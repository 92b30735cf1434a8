import type { VMBackupRepository, VMBackupRepositoryStatus } from '../../crds/vmbackuprepository.ts';
import { humanSize } from '../../domain/columns.ts';
import type { Readiness } from '../../domain/repository-readiness.ts';
import { conditionsFor, type Desired } from '../../kube/conditions.ts';

/** Free space is told in steps of this part of the whole: a status that changes with each byte would wake everyone. */
const FREE_STEPS = 1000;

/** How many backups into a repository run, and how many wait. */
export interface RepositoryLoad {
  readonly running: number;
  readonly waiting: number;
}

/** The status of a repository, from what the agents found. */
export function repositoryStatus(
  { metadata, spec, status }: VMBackupRepository,
  readiness: Readiness,
  backups: RepositoryLoad,
  now: Date,
): Partial<VMBackupRepositoryStatus> {
  const generation = metadata.generation ?? 0;
  const { ready, reason, message, nodes, readyNodes, capacityBytes } = readiness;
  const freeBytes = inSteps(readiness.freeBytes, capacityBytes);
  const condition = { type: 'Ready', status: ready ? 'True' : 'False', reason, message } as const;
  const lowSpace = lowSpaceOf(freeBytes ?? status?.freeBytes, capacityBytes ?? status?.capacityBytes, spec);
  const rest = [lowSpace, healthOf(status?.scrub), upkeepOf(status?.upkeep)];
  const told = [condition, ...rest].filter((each) => each !== undefined);
  return {
    observedGeneration: generation,
    conditions: [...conditionsFor(status?.conditions ?? [], told, { generation, now })],
    capacityBytes,
    freeBytes,
    ...(freeBytes === undefined ? {} : { free: humanSize(freeBytes) }),
    nodes,
    readyNodes,
    runningBackups: backups.running,
    waitingBackups: backups.waiting,
  };
}

/** What the scrub found; undefined before its first slice. */
function healthOf(scrub: VMBackupRepositoryStatus['scrub']): Desired | undefined {
  if (scrub === undefined) return undefined;
  const [first] = scrub.damaged ?? [];
  if (scrub.damagedCount === 0 || first === undefined) {
    return {
      type: 'DataHealthy',
      status: 'True',
      reason: 'NoDamageFound',
      message: 'The scrub found no damage.',
    };
  }
  const count = scrub.damagedCount === 1 ? '1 backup is' : `${scrub.damagedCount} backups are`;
  const message = `${count} damaged, ${first.path} among them: ${first.message}. Check the storage; status.scrub.damaged lists them. The next backup of each of these chains is a full.`;
  return { type: 'DataHealthy', status: 'False', reason: 'DataDamaged', message };
}

/** Whether the Jobs of a repository do their work; undefined before the first. */
function upkeepOf(upkeep: VMBackupRepositoryStatus['upkeep']): Desired | undefined {
  if (upkeep === undefined) return undefined;
  const { waiting, failures, lastFailure, work = 'Upkeep' } = upkeep;
  if (waiting !== undefined)
    return upkeepIs('False', waiting.reason, `${work}: the Job does not begin: ${waiting.message}`);
  if (failures && lastFailure !== undefined) {
    const often = failures === 1 ? '' : ` (${failures} times in a row)`;
    const next = 'It is tried again, after longer and longer, an hour at most.';
    return upkeepIs('False', lastFailure.reason, `${work} failed${often}: ${lastFailure.message} ${next}`);
  }
  return upkeepIs('True', 'UpkeepRuns', 'The last Job did its work, or works.');
}

function upkeepIs(status: Desired['status'], reason: string, message: string): Desired {
  return { type: 'UpkeepHealthy', status, reason, message };
}

function inSteps(freeBytes: number | undefined, capacityBytes: number | undefined): number | undefined {
  if (freeBytes === undefined || capacityBytes === undefined) return freeBytes;
  const step = Math.max(1, Math.floor(capacityBytes / FREE_STEPS));
  return Math.floor(freeBytes / step) * step;
}

/** Undefined while nobody knows how much is free, and where nobody wants to hear of it. */
function lowSpaceOf(
  freeBytes: number | undefined,
  capacityBytes: number | undefined,
  { lowSpacePercent }: VMBackupRepository['spec'],
): Desired | undefined {
  if (freeBytes === undefined || !capacityBytes || lowSpacePercent === 0) return undefined;
  const percent = Math.floor((100 * freeBytes) / capacityBytes);
  const room = `${humanSize(freeBytes)} of ${humanSize(capacityBytes)} are free (${percent} %)`;
  if (percent >= lowSpacePercent) {
    return { type: 'LowSpace', status: 'False', reason: 'EnoughSpace', message: `${room}.` };
  }
  const message = `${room}, less than spec.lowSpacePercent (${lowSpacePercent} %): make room, or give it more, before backups fail.`;
  return { type: 'LowSpace', status: 'True', reason: 'LowSpace', message };
}
