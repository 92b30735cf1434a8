import type { VMBackup } from '../../crds/vmbackup.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { type DeleteWith, decideDeletion } from '../../domain/deletion/decide-deletion.ts';
import { type MoverJob, REPOSITORY_PATH } from '../../domain/job/mover-pod.ts';
import { DATA_FINALIZER, REPOSITORY_LABEL } from '../../domain/labels.ts';
import { backupId, vmDirectoryOf } from '../../domain/names.ts';
import { isUnderWay, standingOf } from '../../domain/standing.ts';
import { scrubShare, type Work } from '../../domain/upkeep/decide-upkeep.ts';
import { comparePaths } from '../../domain/upkeep/path-order.ts';
import type { SweepOrder } from '../../domain/upkeep/sweep.ts';
import { asksForVerification, verifiedUpTo } from '../../domain/upkeep/verification.ts';
import { keyOf } from '../../kube/kind.ts';
import type { Caches } from '../caches.ts';
import { observeDeletion } from '../deletion/reconcile.ts';
import type { Tools } from '../report.ts';

/** What the Jobs of a repository are made of. */
export interface UpkeepOptions {
  readonly clusterId: string;
  readonly image: string;
  /** Where the Jobs run: Tidemark's own namespace, for they see the repository whole. */
  readonly namespace: string;
}

/** One backup that a sweep may take. */
export interface Doomed {
  readonly backup: VMBackup;
  readonly path: string;
  readonly scope: DeleteWith;
}

/** So many go with one sweep; its result must fit into the end of a log. */
const SWEPT_AT_ONCE = 16;
/** Linux takes at most 128 KiB for one argument. */
const ORDER_CHARACTERS = 100_000;
/** Lines of one page of a listing: the end of a log is read, and that much of it is there for sure. */
export const PAGE = 500;
/** A slice gives way after this long, so that a sweep need not wait for it. */
const SLICE_TIME = '30m';
/** Of a scrub, when the repository names no limit. Bytes per second. */
const SCRUB_LIMIT = '100Mi';
const DEFAULT_STALE_HOURS = 168;

/** The backups that a sweep of a repository may take now, decided anew: what the status says may be old. */
export async function doomedIn(
  caches: Caches,
  tools: Tools,
  clusterId: string,
  repository: string,
  signal: AbortSignal,
): Promise<readonly Doomed[]> {
  const waiting = caches.backups.list(
    ({ metadata, spec }) =>
      spec.repository === repository &&
      metadata.deletionTimestamp !== undefined &&
      metadata.finalizers?.includes(DATA_FINALIZER) === true,
  );
  const doomed: Doomed[] = [];
  for (const backup of waiting) {
    const world = await observeDeletion(caches, tools, clusterId, backup, signal);
    const decision = decideDeletion(world, tools.clock.now());
    const path = backup.status?.plan?.path;
    if (decision.kind === 'Sweep' && path !== undefined) doomed.push({ backup, path, scope: decision.scope });
  }
  // The newest first: what stands on others is newer than they are, and must not come in a later sweep.
  return doomed.toSorted((a, b) => comparePaths(b.path, a.path));
}

/** The UID that the manifest of a backup bears. */
export function uidInManifest({ metadata, spec }: VMBackup): string {
  return spec.imported?.uid ?? metadata.uid;
}

/** The Job for one piece of work. Its name tells which run it is: whoever asks again finds it. */
export function upkeepJob(
  repository: VMBackupRepository,
  work: Work,
  name: string,
  args: readonly string[],
  { image, namespace }: UpkeepOptions,
): MoverJob {
  const { metadata, spec } = repository;
  const { apiVersion, kind } = vmBackupRepositories;
  return {
    namespace,
    name,
    labels: { [REPOSITORY_LABEL]: metadata.uid },
    owner: { apiVersion, kind, name: metadata.name, uid: metadata.uid },
    image,
    program: 'mover',
    args,
    retries: 2,
    claims: [],
    repository: { spec, subdirectory: '', readOnly: work !== 'Sweep' },
  };
}

export function catalogueArgs({ status }: VMBackupRepository): readonly string[] {
  const next = status?.catalogue?.next;
  return ['list', REPOSITORY_PATH, '--page', String(PAGE), ...(next === undefined ? [] : ['--from', next])];
}

/** @param isNewPass begin anew, wherever the last one stands */
export function scrubArgs(
  repository: VMBackupRepository,
  isNewPass: boolean,
  now: number,
): readonly string[] {
  const cursor = isNewPass ? undefined : repository.status?.scrub?.cursor;
  const share = scrubShare(repository, now).toFixed(6);
  return [
    'scrub',
    REPOSITORY_PATH,
    ...['--share', share, '--for', SLICE_TIME, '--limit', repository.spec.bandwidthLimit ?? SCRUB_LIMIT],
    ...(cursor === undefined ? [] : ['--resume', cursor]),
    '--json',
  ];
}

/** The backups of a repository whose verification is asked for: always in the same order. */
export function unverifiedIn(caches: Caches, repository: string): readonly VMBackup[] {
  return caches.backups
    .list((backup) => backup.spec.repository === repository && asksForVerification(backup))
    .toSorted((a, b) => (keyOf(a.metadata) < keyOf(b.metadata) ? -1 : 1));
}

/** Someone waits for it: as fast as the repository allows. */
export function verifyArgs({ spec }: VMBackupRepository, backup: VMBackup): readonly string[] {
  const cursor = verifiedUpTo(backup);
  return [
    'verify',
    `${REPOSITORY_PATH}/${backup.status?.plan?.path}`,
    ...['--chain', '--for', SLICE_TIME],
    ...(spec.bandwidthLimit === undefined ? [] : ['--limit', spec.bandwidthLimit]),
    ...(cursor === undefined ? [] : ['--resume', cursor]),
    '--json',
  ];
}

/** The argument of a sweep: what goes, and what stays whatever the repository looks like. The newest, as many as Linux takes. */
export function sweepArgs(
  caches: Caches,
  repository: VMBackupRepository,
  doomed: readonly Doomed[],
  clusterId: string,
): readonly string[] {
  const all = caches.backups.list(({ spec }) => spec.repository === repository.metadata.name);
  const going = {
    paths: new Set(doomed.map(({ path }) => path)),
    uids: new Set(doomed.map(({ backup }) => backup.metadata.uid)),
  };
  for (let count = Math.min(SWEPT_AT_ONCE, doomed.length); ; count--) {
    const order = JSON.stringify(sweepOrder(repository, all, doomed.slice(0, count), going, clusterId));
    if (order.length <= ORDER_CHARACTERS || count <= 1)
      return ['sweep', REPOSITORY_PATH, '--order', order, '--json'];
  }
}

function sweepOrder(
  { spec }: VMBackupRepository,
  all: readonly VMBackup[],
  chosen: readonly Doomed[],
  going: { readonly paths: ReadonlySet<string>; readonly uids: ReadonlySet<string> },
  clusterId: string,
): SweepOrder {
  // Where each goes alone there is nothing to be kept from going along.
  const together = chosen.filter(({ scope }) => scope !== 'Nothing');
  const directories = new Set(together.map(({ path }) => vmDirectoryOf(path)));
  const chosenPaths = new Set(chosen.map(({ path }) => path));
  const keep = all.flatMap(({ metadata, status }) => {
    const path = status?.plan?.path ?? '';
    const isBeside = directories.has(vmDirectoryOf(path)) && !going.paths.has(path);
    // Two objects may stand for the same data: it goes with the last.
    const isShared = chosenPaths.has(path) && !going.uids.has(metadata.uid);
    return isBeside || isShared ? [path] : [];
  });
  const busy = all
    .filter((backup) => isUnderWay(standingOf(backup)))
    .map(({ metadata }) => backupId(metadata.creationTimestamp ?? '1970-01-01T00:00:00Z', metadata.uid));
  const hours = spec.catalogue?.staleAfterHours ?? DEFAULT_STALE_HOURS;
  return {
    clusterId,
    backups: chosen.map(({ backup, path, scope }) => ({ path, uid: uidInManifest(backup), with: scope })),
    keep,
    leftovers: { olderThanSeconds: hours * 3600, busy },
  };
}
