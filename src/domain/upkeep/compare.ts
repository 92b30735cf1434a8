import type { CatalogueStatus } from '../../crds/upkeep.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { vmDirectoryOf } from '../names.ts';
import { standingOf } from '../standing.ts';
import type { BriefBackup } from './brief.ts';
import { isObjectOf, type KnownBackup, placeOf } from './imported.ts';
import { comparePaths } from './path-order.ts';

/** One page of a repository's listing, beside what the cluster knows. */
export interface Page {
  readonly repository: VMBackupRepository;
  readonly clusterId: string;
  readonly entries: readonly BriefBackup[];
  /** Where the page began; undefined for the first. */
  readonly from: string | undefined;
  /** Where the next one begins; null on the last. */
  readonly next: string | null;
  /** All VMBackups into this repository. */
  readonly objects: readonly VMBackup[];
  /** Namespaces that are there and stay there. */
  readonly namespaces: ReadonlySet<string>;
  /** Whether a person asked: then everything that has no object is imported, and not only what was lost as a whole. */
  readonly isAsked: boolean;
  /** When the listing began, in milliseconds since the epoch: what was committed since may not be in it. */
  readonly startedAt: number;
}

export interface Comparison {
  readonly toImport: readonly KnownBackup[];
  /** Objects that an import left without a status when it was killed. */
  readonly toFill: readonly { readonly object: VMBackup; readonly backup: KnownBackup }[];
  readonly counts: Omit<CatalogueStatus, 'lastTime' | 'next' | 'trigger'>;
}

/** So many of one VM are imported, the newest: thousands of backups do not need thousands of objects. */
const IMPORTED_OF_ONE_VM = 100;
/** So many of each are named. */
export const EXAMPLES = 10;

/** Compares a page with the cluster, and says what is to be imported. It never says to change an object that is there. */
export function comparePage(page: Page, before: CatalogueStatus | undefined): Comparison {
  const { entries, clusterId, objects } = page;
  const known = entries.filter((entry): entry is KnownBackup => entry.backup !== null);
  const byUid = Map.groupBy(objects, ({ metadata, spec }) => spec.imported?.uid ?? metadata.uid);
  const objectOf = (entry: KnownBackup) =>
    byUid.get(entry.backup.uid)?.find((object) => isObjectOf(object, entry));
  const withoutObject = known.filter((entry) => objectOf(entry) === undefined);
  const ours = withoutObject.filter(({ path }) => placeOf(path).cluster === clusterId);
  const toImport = withoutObject.filter((entry) => mayImport(page, entry));
  const lost = withoutData(page);
  const unreadable = entries.filter(({ backup }) => backup === null);
  const start = page.from === undefined ? undefined : before;
  const newest = newestOfEachVm(toImport, objects);
  const imported = new Set(newest);
  const left = ours.filter((entry) => !imported.has(entry));
  return {
    toImport: newest,
    toFill: known.flatMap((backup) => {
      const object = objectOf(backup);
      const isEmpty = object?.spec.imported !== undefined && object.status?.execution === undefined;
      return isEmpty ? [{ object, backup }] : [];
    }),
    counts: {
      backups: (start?.backups ?? 0) + known.length,
      storedBytes: (start?.storedBytes ?? 0) + known.reduce((sum, { backup }) => sum + backup.storedBytes, 0),
      imported: (start?.imported ?? 0) + newest.length,
      dataWithoutObject: (start?.dataWithoutObject ?? 0) + left.length,
      dataWithoutObjectExamples: examples(
        start?.dataWithoutObjectExamples,
        left.map(({ path }) => path),
      ),
      objectsWithoutData: (start?.objectsWithoutData ?? 0) + lost.length,
      objectsWithoutDataExamples: examples(
        start?.objectsWithoutDataExamples,
        lost.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      ),
      unreadable: (start?.unreadable ?? 0) + unreadable.length,
      unreadableExamples: examples(
        start?.unreadableExamples,
        unreadable.map(({ path }) => path),
      ),
      otherClusters:
        (start?.otherClusters ?? 0) + known.filter(({ path }) => placeOf(path).cluster !== clusterId).length,
    },
  };
}

function examples(earlier: readonly string[] | undefined, paths: readonly string[]): string[] {
  return [...(earlier ?? []), ...paths].slice(0, EXAMPLES);
}

type Check = (page: Page, entry: KnownBackup) => boolean;

/** All must hold for a backup to be imported. */
const conditions: readonly Check[] = [isWanted, isOfAKnownCluster, isAllowedNamespace, isLivingNamespace];

function mayImport(page: Page, entry: KnownBackup): boolean {
  return conditions.every((holds) => holds(page, entry));
}

/** By itself, only for VMs none of whose backups the cluster took and still knows: a single object was deleted on purpose. */
function isWanted({ repository, objects, isAsked }: Page, { path }: KnownBackup): boolean {
  if (isAsked) return true;
  if (repository.spec.catalogue?.import === 'Never') return false;
  const vm = vmDirectoryOf(path);
  return !objects.some(
    ({ spec, status }) => spec.imported === undefined && vmDirectoryOf(status?.plan?.path ?? '') === vm,
  );
}

function isOfAKnownCluster({ repository, clusterId }: Page, { path }: KnownBackup): boolean {
  const { cluster } = placeOf(path);
  const others = repository.spec.catalogue?.clusters ?? [];
  return cluster === clusterId || others.includes('*') || others.includes(cluster);
}

function isAllowedNamespace({ repository }: Page, { path }: KnownBackup): boolean {
  const { allowedNamespaces } = repository.spec;
  return allowedNamespaces.includes('*') || allowedNamespaces.includes(placeOf(path).namespace);
}

function isLivingNamespace({ namespaces }: Page, { path }: KnownBackup): boolean {
  return namespaces.has(placeOf(path).namespace);
}

function newestOfEachVm(
  entries: readonly KnownBackup[],
  objects: readonly VMBackup[],
): readonly KnownBackup[] {
  const there = Map.groupBy(objects, ({ status }) => vmDirectoryOf(status?.plan?.path ?? ''));
  const groups = Map.groupBy(entries, ({ path }) => vmDirectoryOf(path));
  return [...groups].flatMap(([vm, backups]) => {
    const room = Math.max(0, IMPORTED_OF_ONE_VM - (there.get(vm)?.length ?? 0));
    return room === 0 ? [] : backups.toSorted((a, b) => comparePaths(a.path, b.path)).slice(-room);
  });
}

/** Objects whose data should be in this page, and is not. */
function withoutData({ entries, from, next, objects, startedAt }: Page): readonly VMBackup[] {
  const listed = new Set(entries.map(({ path }) => path));
  return objects.filter((object) => {
    const standing = standingOf(object);
    if (standing.kind !== 'Succeeded' || object.metadata.deletionTimestamp !== undefined) return false;
    const { path } = standing.plan;
    const isInPage =
      (from === undefined || comparePaths(path, from) >= 0) &&
      (next === null || comparePaths(path, next) < 0);
    const isOlder = Date.parse(standing.execution.completedAt ?? '') < startedAt;
    return isInPage && isOlder && !listed.has(path);
  });
}
