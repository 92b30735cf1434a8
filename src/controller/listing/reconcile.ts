import { type ListedBackup, type VMBackupListing, vmBackupListings } from '../../crds/vmbackuplisting.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { eventIn } from '../../domain/job/job-standing.ts';
import { type MoverJob, REPOSITORY_PATH } from '../../domain/job/mover-pod.ts';
import { LISTING_LABEL } from '../../domain/labels.ts';
import { decideListing, type ListingWorld } from '../../domain/listing/decide.ts';
import { listed } from '../../domain/listing/listed.ts';
import { visibleTo } from '../../domain/listing/scope.ts';
import { shortHash } from '../../domain/short-hash.ts';
import { entriesIn, ListResult } from '../../domain/upkeep/brief.ts';
import type { Why } from '../../domain/why.ts';
import { conditionsFor, type Desired } from '../../kube/conditions.ts';
import { Again, Done, type Outcome } from '../../kube/outcome.ts';
import type { StatusWriter } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { ensureJob, logOfJob, lookAtJob, removeJob } from '../job/mover-jobs.ts';
import { FIELD_MANAGER } from '../names.ts';
import { report, type Tools } from '../report.ts';
import { PAGE, type UpkeepOptions } from '../upkeep/orders.ts';

const writer: StatusWriter<VMBackupListing> = {
  fieldManager: FIELD_MANAGER,
  fields: ['observedGeneration', 'conditions', 'count', 'backups', 'next', 'completedAt'],
};

const LOOK_AGAIN_MS = 2000;
/** However large the repository: a page is small, and one that hangs holds up others. Seconds. */
const JOB_SECONDS = 600;

/** Has the backups listed that a namespace has in a repository, by a Job, and writes them to the status. */
export async function reconcileListing(
  caches: Caches,
  options: UpkeepOptions,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const listing = caches.listings.get(key);
  if (listing === undefined || listing.metadata.deletionTimestamp !== undefined) return Done();
  const { kube, clock } = tools;
  const jobName = `tidemark-list-${shortHash(listing.metadata.uid)}`;
  const ref = { namespace: options.namespace, name: jobName };
  const repository = caches.repositories.get({ name: listing.spec.repository });
  const job = await lookAtJob(caches, kube, ref, signal);
  const world = {
    ...{ listing, repository, systemNamespace: options.namespace, jobName, job },
    ...competitionOf(caches, listing),
  };
  const step = decideListing(world, clock.now());
  switch (step.kind) {
    case 'Nothing':
      // The Job may be there still, if its end was written and then its removal failed.
      if (job.kind !== 'Absent') await removeJob(kube, ref, signal);
      return Again(step.afterMs);
    case 'Remove':
      await kube.delete(vmBackupListings, listing.metadata, { uid: listing.metadata.uid }, signal);
      return Done();
    case 'Begin':
      if (repository !== undefined)
        await ensureJob(kube, listingJob(listing, repository, jobName, options), signal);
      return Again(LOOK_AGAIN_MS);
    case 'Wait':
      await tell(caches, tools, listing, { type: 'Reconciling', status: 'True', ...step.why }, signal);
      return Again(LOOK_AGAIN_MS);
    case 'Fail':
      await tell(caches, tools, listing, { type: 'Stalled', status: 'True', ...step.why }, signal);
      break;
    case 'Read': {
      const found = await readListing(caches, tools, world, ref, signal);
      const said =
        'reason' in found
          ? ({ type: 'Stalled', status: 'True', ...found } as const)
          : ({ type: 'Ready', status: 'True', ...listedWell(found), found } as const);
      await tell(caches, tools, listing, said, signal);
    }
  }
  await removeJob(kube, ref, signal);
  return Again(LOOK_AGAIN_MS);
}

/** Writes the status; whatever is not under way any more is over. */
async function tell(
  { listings }: Caches,
  tools: Tools,
  listing: VMBackupListing,
  desired: Desired & { readonly found?: Found },
  signal: AbortSignal,
): Promise<void> {
  const { found, ...condition } = desired;
  const now = new Date(tools.clock.now());
  const generation = listing.metadata.generation ?? 0;
  const status = {
    observedGeneration: generation,
    conditions: [...conditionsFor(listing.status?.conditions ?? [], [condition], { generation, now })],
    ...(found && { ...found, count: found.backups.length, backups: [...found.backups] }),
    ...(desired.type !== 'Reconciling' && { completedAt: now.toISOString() }),
  };
  await report(tools, listings, listing, { status, events: [] }, writer, signal);
}

function listedWell({ backups, next }: Found): Why {
  const more =
    next === undefined ? '' : ' There are more: status.next says where the next listing must begin.';
  return {
    reason: 'Listed',
    message: `${backups.length} ${backups.length === 1 ? 'backup' : 'backups'}.${more}`,
  };
}

interface Found {
  readonly backups: readonly ListedBackup[];
  readonly next?: string;
}

function competitionOf(
  { listings, jobs }: Caches,
  { metadata, spec }: VMBackupListing,
): Pick<ListingWorld, 'ahead' | 'running'> {
  const open = listings.list(
    (other) => other.spec.repository === spec.repository && other.status?.completedAt === undefined,
  );
  const isAhead = (other: VMBackupListing) =>
    other.metadata.namespace === metadata.namespace && age(other) < age({ metadata, spec });
  const uids = new Set(open.map((each) => each.metadata.uid));
  const running = jobs.list((job) => uids.has(job.metadata.labels?.[LISTING_LABEL] ?? ''));
  return { ahead: open.filter(isAhead).length, running: running.length };
}

function age({ metadata }: VMBackupListing): string {
  return `${metadata.creationTimestamp}/${metadata.uid}`;
}

/** In Tidemark's own namespace, like the rest of a repository's Jobs: a tenant's may have no room for it, and no right to mount. */
function listingJob(
  { metadata, spec }: VMBackupListing,
  repository: VMBackupRepository,
  name: string,
  { clusterId, image, namespace }: UpkeepOptions,
): MoverJob {
  const { apiVersion, kind } = vmBackupRepositories;
  const { uid } = repository.metadata;
  const asked = metadata.namespace ?? '';
  const within = asked === namespace ? [] : visibleTo(asked, clusterId, repository);
  return {
    namespace,
    name,
    labels: { [LISTING_LABEL]: metadata.uid },
    owner: { apiVersion, kind, name: repository.metadata.name, uid },
    image,
    program: 'mover',
    args: [
      ...['list', REPOSITORY_PATH, `--page=${PAGE}`],
      ...within.map((place) => `--within=${place}`),
      ...(spec.vmName === undefined ? [] : [`--vm=${spec.vmName}`]),
      ...(spec.from === undefined ? [] : [`--from=${spec.from}`]),
    ],
    retries: 1,
    activeSeconds: JOB_SECONDS,
    // Nobody looks after it when the listing is deleted in the meantime.
    keptSeconds: JOB_SECONDS,
    claims: [],
    repository: { spec: repository.spec, subdirectory: '', readOnly: true },
  };
}

async function readListing(
  caches: Caches,
  tools: Tools,
  { listing, repository, jobName, systemNamespace }: ListingWorld,
  ref: { readonly namespace: string; readonly name: string },
  signal: AbortSignal,
): Promise<Found | Why> {
  const log = await logOfJob(caches, tools.kube, ref, signal);
  if (typeof log === 'object') return log;
  const result = ListResult.safeParse(eventIn(log ?? '', 'result'));
  const entries = entriesIn(log ?? '');
  if (!result.success || entries.length !== result.data.backups) {
    const message = `Job '${jobName}' ended well, and its log could not be read to the end: ask again.`;
    return { reason: 'ResultMissing', message };
  }
  const { namespace } = listing.metadata;
  // Names of other namespaces are nobody's business, even where their data may be restored.
  const objects = caches.backups.list(
    ({ metadata, spec }) =>
      spec.repository === listing.spec.repository &&
      (metadata.namespace === namespace || namespace === systemNamespace),
  );
  const backups = listed(entries, { objects, damaged: repository?.status?.scrub?.damaged ?? [] });
  const { next } = result.data;
  return { backups, ...(next !== null && { next }) };
}
