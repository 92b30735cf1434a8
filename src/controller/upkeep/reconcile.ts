import type { VMBackupRepository, VMBackupRepositoryStatus } from '../../crds/vmbackuprepository.ts';
import { eventIn } from '../../domain/job/job-standing.ts';
import { neverBegan, worthTelling } from '../../domain/job/start-deadline.ts';
import { shortHash } from '../../domain/short-hash.ts';
import { entriesIn, ListResult } from '../../domain/upkeep/brief.ts';
import { decideUpkeep, scrubShare, type Work } from '../../domain/upkeep/decide-upkeep.ts';
import { beginFor } from '../../domain/upkeep/follow.ts';
import { ScrubResult } from '../../domain/upkeep/scrub.ts';
import { SweepResult } from '../../domain/upkeep/sweep.ts';
import { asksForVerification } from '../../domain/upkeep/verification.ts';
import { clip, type Why } from '../../domain/why.ts';
import type { Event } from '../../kube/events.ts';
import { keyOf } from '../../kube/kind.ts';
import { Again, Done, type Outcome } from '../../kube/outcome.ts';
import type { StatusWriter } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { ensureJob, logOfJob, lookAtJob, removeJob } from '../job/mover-jobs.ts';
import { report, type Tools } from '../report.ts';
import { collectCatalogue } from './collect-catalogue.ts';
import { scrubbed, tellDamage } from './collect-scrub.ts';
import { collectSweep, stuckEvents } from './collect-sweep.ts';
import { answer, readVerification } from './collect-verification.ts';
import {
  catalogueArgs,
  doomedIn,
  scrubArgs,
  sweepArgs,
  type UpkeepOptions,
  unverifiedIn,
  upkeepJob,
  verifyArgs,
} from './orders.ts';

/** Another owner than that of the rest of the status: each writes its own fields, and neither takes away the other's. */
const writer: StatusWriter<VMBackupRepository> = {
  fieldManager: 'tidemark-upkeep',
  fields: ['catalogue', 'scrub', 'upkeep'],
};

/** The watches of Jobs and pods tell of most changes. Milliseconds. */
const LOOK_AGAIN_MS = 15_000;
const AT_ONCE_MS = 100;

type Status = Pick<VMBackupRepositoryStatus, 'catalogue' | 'scrub' | 'upkeep'>;
interface Context {
  readonly caches: Caches;
  readonly options: UpkeepOptions;
  readonly tools: Tools;
  readonly signal: AbortSignal;
}

/**
 * Looks after one repository: sweeps, lists and scrubs it, by one Job at a time. Which Job runs is recorded before it is made, and what
 * it said is acted on before it is forgotten: killed anywhere, the next look goes on there.
 */
export async function reconcileUpkeep(
  caches: Caches,
  options: UpkeepOptions,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const repository = caches.repositories.get(key);
  if (repository === undefined || repository.metadata.deletionTimestamp !== undefined) return Done();
  const context = { caches, options, tools, signal };
  const { job, work } = repository.status?.upkeep ?? {};
  if (job !== undefined && work !== undefined) return await goOn(context, repository, job, work);
  const doomed = await doomedIn(caches, tools, options.clusterId, key, signal);
  const unverified = unverifiedIn(caches, key);
  const world = { repository, toSweep: doomed.length, toVerify: unverified.length };
  const decision = decideUpkeep(world, tools.clock.now());
  if (decision.kind === 'Nothing') return Again(decision.afterMs);
  const { upkeep } = repository.status ?? {};
  const run = (upkeep?.run ?? 0) + 1;
  const name = `tidemark-${decision.work.toLowerCase()}-${shortHash(repository.metadata.uid)}-${run}`;
  const [first] = unverified;
  const backup = decision.work === 'Verify' && first !== undefined ? keyOf(first.metadata) : undefined;
  const { follows, catalogue } = beginFor(repository, decision.work);
  const begun = {
    ...{ ...upkeep, run, job: name, work: decision.work, follows },
    ...(backup !== undefined && { backup }),
  };
  await tell(context, repository, { upkeep: begun, catalogue });
  return Again(AT_ONCE_MS);
}

async function goOn(
  context: Context,
  repository: VMBackupRepository,
  name: string,
  work: Work,
): Promise<Outcome> {
  const { caches, options, tools, signal } = context;
  const ref = { namespace: options.namespace, name };
  const standing = await lookAtJob(caches, tools.kube, ref, signal);
  switch (standing.kind) {
    case 'Absent': {
      const args = await argsOf(context, repository, work);
      if (args === undefined) {
        await end(context, repository, {});
        return Again(AT_ONCE_MS);
      }
      await ensureJob(tools.kube, upkeepJob(repository, work, name, args, options), signal);
      return Again(LOOK_AGAIN_MS);
    }
    case 'Waiting': {
      const now = tools.clock.now();
      const why = neverBegan(name, standing, now);
      if (why === undefined) {
        await tellWaiting(context, repository, worthTelling(standing, now));
        return Again(LOOK_AGAIN_MS);
      }
      await end(context, repository, {}, why);
      break;
    }
    case 'Running':
      await tellWaiting(context, repository, undefined);
      return Again(LOOK_AGAIN_MS);
    case 'Failed':
      if (work === 'Verify') await collect(context, repository, name, work, standing.why);
      else await end(context, repository, {}, standing.why);
      break;
    case 'Succeeded':
      await collect(context, repository, name, work);
  }
  await removeJob(tools.kube, ref, signal);
  return Again(AT_ONCE_MS);
}

/** Undefined if there is nothing to do any more. */
async function argsOf(
  { caches, options, tools, signal }: Context,
  repository: VMBackupRepository,
  work: Work,
): Promise<readonly string[] | undefined> {
  if (work === 'Verify') {
    const backup = caches.backups.get(repository.status?.upkeep?.backup ?? '');
    return backup && asksForVerification(backup) ? verifyArgs(repository, backup) : undefined;
  }
  if (work === 'Catalogue') return catalogueArgs(repository);
  if (work === 'Scrub') return scrubArgs(repository, isNewPass(repository), tools.clock.now());
  const doomed = await doomedIn(caches, tools, options.clusterId, repository.metadata.name, signal);
  return sweepArgs(caches, repository, doomed, options.clusterId);
}

/** Acts on what the Job said; then it is forgotten. `failed` says why it ended badly: a verification does so when it finds damage. */
async function collect(
  context: Context,
  repository: VMBackupRepository,
  name: string,
  work: Work,
  failed?: Why,
): Promise<void> {
  const { caches, options, tools, signal } = context;
  const ref = { namespace: options.namespace, name };
  const read = await logOfJob(caches, tools.kube, ref, signal);
  if (typeof read === 'object') return await end(context, repository, {}, read);
  const log = read ?? '';
  const said = eventIn(log, 'result');
  const now = tools.clock.now();
  const startedAt = Date.parse(caches.jobs.get(ref)?.metadata.creationTimestamp ?? '') || 0;
  switch (work) {
    case 'Sweep': {
      const result = SweepResult.safeParse(said);
      if (!result.success) break;
      await collectSweep(caches, tools, repository.metadata.name, result.data, signal);
      const leftoversAt = new Date(now).toISOString();
      const events = stuckEvents(result.data);
      return await end(context, repository, { upkeep: { run: 0, leftoversAt } }, undefined, events);
    }
    case 'Catalogue': {
      const result = ListResult.safeParse(said);
      const entries = entriesIn(log);
      if (!result.success || entries.length !== result.data.backups) break;
      const listing = { entries, result: result.data, startedAt };
      const catalogue = await collectCatalogue(caches, tools, options.clusterId, repository, listing, signal);
      return await end(context, repository, { catalogue });
    }
    case 'Verify': {
      const backup = caches.backups.get(repository.status?.upkeep?.backup ?? '');
      if (backup === undefined || !asksForVerification(backup)) return await end(context, repository, {});
      const why = failed ?? { reason: 'ResultMissing', message: `Job '${name}' did not tell what it found.` };
      const { verification, damage } = readVerification(repository, backup, { log, why }, now);
      const changes = damage === undefined ? {} : { scrub: damage.scrub };
      // The damage first: once the backup has its answer, nobody asks again.
      if (damage) await tell(context, repository, changes, tellDamage(caches, tools, damage.found));
      await answer(tools, backup, verification, signal);
      return await end(context, repository, changes);
    }
    case 'Scrub': {
      const result = ScrubResult.safeParse(said);
      if (!result.success) break;
      const slice = { isNewPass: isNewPass(repository), share: scrubShare(repository, startedAt) };
      const { status, found } = scrubbed(repository, result.data, slice, now);
      return await end(context, repository, { scrub: status }, undefined, tellDamage(caches, tools, found));
    }
  }
  const message = `Job '${name}' ended well, and its log could not be read to the end: it is run again.`;
  await end(context, repository, {}, { reason: 'ResultMissing', message });
}

/** Records what the pod of the Job waits for. The event comes once; which reason is the newest changes often. */
async function tellWaiting(context: Context, repository: VMBackupRepository, why: Why | undefined) {
  const { waiting: before, ...upkeep } = repository.status?.upkeep ?? { run: 0 };
  if (before === undefined && why === undefined) return;
  const event: Event | undefined = why && {
    ...{ type: 'Warning', reason: why.reason, action: upkeep.work ?? 'Upkeep' },
    note: `The Job for ${upkeep.work ?? 'the upkeep'} of the repository does not begin: ${why.message}`,
  };
  const told = { ...upkeep, ...(why && { waiting: why }) };
  await tell(context, repository, { upkeep: told }, before === undefined && event ? [event] : []);
}

/** Records that no Job runs any more, and what came of it. */
async function end(
  context: Context,
  repository: VMBackupRepository,
  changes: Status,
  failure?: Why,
  events: readonly Event[] = [],
): Promise<void> {
  const {
    job: _,
    backup: __,
    waiting: ___,
    lastFailure,
    failures = 0,
    ...upkeep
  } = repository.status?.upkeep ?? { run: 0 };
  const at = new Date(context.tools.clock.now()).toISOString();
  const failed = failure && {
    failures: failures + 1,
    lastFailure: { at, reason: failure.reason, message: clip(failure.message) },
  };
  const leftoversAt = changes.upkeep?.leftoversAt ?? upkeep.leftoversAt;
  const told = { ...upkeep, ...(leftoversAt !== undefined && { leftoversAt }), ...failed };
  const event: Event | undefined = failure && {
    type: 'Warning',
    reason: failure.reason,
    action: upkeep.work ?? 'Upkeep',
    note: `${upkeep.work ?? 'Upkeep'} of the repository failed: ${failure.message}`,
  };
  const isNews = failure !== undefined && lastFailure?.reason !== failure.reason;
  await tell(
    context,
    repository,
    { ...changes, upkeep: told },
    isNews && event ? [event, ...events] : events,
  );
}

async function tell(
  { caches, tools, signal }: Context,
  repository: VMBackupRepository,
  changes: Status,
  events: readonly Event[] = [],
): Promise<void> {
  const { catalogue, scrub, upkeep } = repository.status ?? {};
  const status = { ...{ catalogue, scrub, upkeep }, ...changes };
  await report(tools, caches.repositories, repository, { status, events }, writer, signal);
}

function isNewPass({ status }: VMBackupRepository): boolean {
  const asked = status?.upkeep?.follows?.scrub;
  return asked !== undefined && asked !== status?.scrub?.trigger;
}
