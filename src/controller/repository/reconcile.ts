import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { sumReadiness } from '../../domain/repository-readiness.ts';
import { isUnderWay, standingOf } from '../../domain/standing.ts';
import { keyOf } from '../../kube/kind.ts';
import { Again, Done, type Outcome } from '../../kube/outcome.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { StatusWriter } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { FIELD_MANAGER } from '../names.ts';
import { report, type Tools } from '../report.ts';
import { repositoryEvents } from './events.ts';
import { type RepositoryLoad, repositoryStatus } from './status.ts';

const writer: StatusWriter<VMBackupRepository> = {
  fieldManager: FIELD_MANAGER,
  fields: [
    'observedGeneration',
    'conditions',
    'capacityBytes',
    'freeBytes',
    'free',
    'readyNodes',
    'nodes',
    'runningBackups',
    'waitingBackups',
  ],
};

/** An agent that falls silent changes nothing that could be watched, so look this often. Milliseconds. */
const LOOK_AGAIN_MS = 30_000;

/** Sums up what the agents report of one VMBackupRepository. */
export async function reconcileRepository(
  caches: Caches,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const repository = caches.repositories.get(key);
  if (repository === undefined || repository.metadata.deletionTimestamp !== undefined) return Done();
  const now = tools.clock.now();
  const readiness = sumReadiness(key, caches.views.agents(now));
  const status = repositoryStatus(repository, readiness, loadOf(caches, key), new Date(now));
  const events = repositoryEvents(repository, status);
  await report(tools, caches.repositories, repository, { status, events }, writer, signal);
  return Again(LOOK_AGAIN_MS);
}

function loadOf({ views }: Caches, repository: string): RepositoryLoad {
  const open = views.openBackupsInto(repository);
  const running = open.filter((backup) => isUnderWay(standingOf(backup))).length;
  return { running, waiting: open.length - running };
}

/** What makes a repository worth another look: itself, and any agent's report. */
export function repositorySources(caches: Caches): readonly Source[] {
  return [
    watching(caches.repositories),
    watching(caches.agentLeases, () => caches.repositories.list().map(({ metadata }) => keyOf(metadata))),
  ];
}
