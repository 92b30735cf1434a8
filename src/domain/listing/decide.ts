import type { VMBackupListing } from '../../crds/vmbackuplisting.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { JobStanding } from '../job/job-standing.ts';
import { notMountableByJobs } from '../job/not-mountable.ts';
import { neverBegan } from '../job/start-deadline.ts';
import { clip, type Why } from '../why.ts';

/** All that decides on one VMBackupListing. */
export interface ListingWorld {
  readonly listing: VMBackupListing;
  readonly repository: VMBackupRepository | undefined;
  /** Where Tidemark runs: whoever may ask there sees the repository whole. */
  readonly systemNamespace: string;
  readonly jobName: string;
  readonly job: JobStanding;
  /** Older listings of the same namespace in the same repository that are not over. */
  readonly ahead: number;
  /** Jobs of listings that work in the same repository. */
  readonly running: number;
}

export type ListingStep =
  | { readonly kind: 'Nothing'; readonly afterMs: number }
  /** It was read long ago. */
  | { readonly kind: 'Remove' }
  | { readonly kind: 'Wait'; readonly why: Why }
  | { readonly kind: 'Begin' }
  /** The Job has said what there is. */
  | { readonly kind: 'Read' }
  | { readonly kind: 'Fail'; readonly why: Why };

/** The object stays so long after its end. */
const KEPT_MS = 3_600_000;
/** So many namespaces are answered at once in one repository. */
const AT_ONCE = 4;
/** Somebody waits for it at a screen. */
const START_DEADLINE_MS = 180_000;

type Check = (world: ListingWorld) => Why | undefined;

/** What no waiting mends. First match wins. */
const whyFail: readonly Check[] = [repositoryMissing, namespaceNotAllowed, notMountable];
/** What a listing waits for before its Job is made. */
const whyWait: readonly Check[] = [repositoryNotReady, queued];

/** Decides what becomes of a listing. `now` in milliseconds since the epoch. */
export function decideListing(world: ListingWorld, now: number): ListingStep {
  const { listing, job, jobName } = world;
  const over = Date.parse(listing.status?.completedAt ?? '');
  if (!Number.isNaN(over))
    return now - over >= KEPT_MS ? { kind: 'Remove' } : { kind: 'Nothing', afterMs: over + KEPT_MS - now };
  for (const check of whyFail) {
    const why = check(world);
    if (why !== undefined) return { kind: 'Fail', why };
  }
  switch (job.kind) {
    case 'Absent': {
      const why = whyWait.map((check) => check(world)).find((each) => each !== undefined);
      return why === undefined ? { kind: 'Begin' } : { kind: 'Wait', why };
    }
    case 'Waiting': {
      const why = neverBegan(jobName, job, now, START_DEADLINE_MS);
      return why === undefined ? { kind: 'Wait', why: job.why } : { kind: 'Fail', why };
    }
    case 'Running':
      return { kind: 'Wait', why: { reason: 'Listing', message: `Job '${jobName}' reads the repository.` } };
    case 'Failed':
      return { kind: 'Fail', why: job.why };
    case 'Succeeded':
      return { kind: 'Read' };
  }
}

function repositoryMissing({ listing, repository }: ListingWorld): Why | undefined {
  if (repository !== undefined) return undefined;
  const message = `There is no VMBackupRepository '${listing.spec.repository}': 'kubectl get tmrepo' lists them.`;
  return { reason: 'RepositoryNotFound', message };
}

function namespaceNotAllowed({ listing, repository, systemNamespace }: ListingWorld): Why | undefined {
  const namespace = listing.metadata.namespace ?? '';
  const allowed = repository?.spec.allowedNamespaces ?? [];
  if (namespace === systemNamespace || allowed.includes('*') || allowed.includes(namespace)) return undefined;
  const message = `VMBackupRepository '${listing.spec.repository}' does not serve namespace '${namespace}': its administrator must add it to spec.allowedNamespaces.`;
  return { reason: 'NamespaceNotAllowed', message };
}

function notMountable({ repository }: ListingWorld): Why | undefined {
  return notMountableByJobs(repository);
}

function repositoryNotReady({ listing, repository }: ListingWorld): Why | undefined {
  const ready = repository?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const message = `VMBackupRepository '${listing.spec.repository}' is not ready: ${ready?.message ?? 'no node agent has looked at it yet.'}`;
  return { reason: 'RepositoryNotReady', message: clip(message) };
}

function queued({ ahead, running }: ListingWorld): Why | undefined {
  if (ahead === 0 && running < AT_ONCE) return undefined;
  const message = `${ahead} of the same namespace are ahead of it, and ${running} of ${AT_ONCE} run in the repository.`;
  return { reason: 'ListingQueued', message };
}
