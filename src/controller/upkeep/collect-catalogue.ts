import { namespaces } from '../../crds/core.ts';
import type { CatalogueStatus } from '../../crds/upkeep.ts';
import { type VMBackup, vmBackups } from '../../crds/vmbackup.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../../crds/vmbackuprepository.ts';
import { uid8 } from '../../domain/names.ts';
import type { BriefBackup, ListResult } from '../../domain/upkeep/brief.ts';
import { comparePage, EXAMPLES } from '../../domain/upkeep/compare.ts';
import {
  importedObject,
  importedStatus,
  isObjectOf,
  type KnownBackup,
  placeOf,
} from '../../domain/upkeep/imported.ts';
import { clip } from '../../domain/why.ts';
import type { Kube } from '../../kube/client.ts';
import { AlreadyExists, Forbidden, Invalid, NotFound } from '../../kube/errors.ts';
import { type StatusWriter, writeStatus } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import type { Tools } from '../report.ts';

/** The agent writes these for a backup that it took; for one that was found, whoever found it does. */
const writer: StatusWriter<VMBackup> = { fieldManager: 'tidemark-import', fields: ['plan', 'execution'] };

export interface Listing {
  readonly entries: readonly BriefBackup[];
  readonly result: ListResult;
  /** In milliseconds since the epoch. */
  readonly startedAt: number;
}

/** Compares a page of the listing with the cluster, and makes VMBackups for what was lost. Safe to run again. */
export async function collectCatalogue(
  caches: Caches,
  tools: Tools,
  clusterId: string,
  repository: VMBackupRepository,
  { entries, result, startedAt }: Listing,
  signal: AbortSignal,
): Promise<CatalogueStatus> {
  const { kube, clock } = tools;
  const before = repository.status?.catalogue;
  const asked = repository.status?.upkeep?.follows?.sync;
  const named = new Set(entries.map(({ path }) => placeOf(path).namespace));
  const { toImport, toFill, counts } = comparePage(
    {
      repository,
      clusterId,
      entries,
      from: before?.next,
      next: result.next,
      objects: caches.backups.list(({ spec }) => spec.repository === repository.metadata.name),
      namespaces: await livingOf(kube, named, signal),
      isAsked: asked !== undefined && asked !== before?.trigger,
      startedAt,
    },
    before,
  );
  const refused: KnownBackup[] = [];
  let whyRefused: string | undefined;
  const unlessRefused = async (backup: KnownBackup, effect: () => Promise<void>): Promise<void> => {
    try {
      await effect();
    } catch (error) {
      // A name that no object can have, a quota, a policy: what cannot be imported keeps nothing else from it.
      if (!(error instanceof Invalid || error instanceof Forbidden)) throw error;
      refused.push(backup);
      whyRefused ??= error.message;
    }
  };
  for (const { object, backup } of toFill)
    await unlessRefused(backup, () => fill(kube, object, backup, signal));
  for (const backup of toImport)
    await unlessRefused(backup, () => importBackup(kube, repository.metadata.name, backup, signal));
  tellRefused(tools, repository, refused, whyRefused);
  const { next } = result;
  const trigger = next === null ? (asked ?? before?.trigger) : before?.trigger;
  const lastTime = next === null ? new Date(clock.now()).toISOString() : before?.lastTime;
  const notMade = refused.filter((backup) => toImport.includes(backup));
  return {
    ...counts,
    imported: counts.imported - notMade.length,
    dataWithoutObject: counts.dataWithoutObject + notMade.length,
    dataWithoutObjectExamples: [
      ...(counts.dataWithoutObjectExamples ?? []),
      ...notMade.map(({ path }) => path),
    ].slice(0, EXAMPLES),
    ...(next !== null && { next }),
    ...(lastTime !== undefined && { lastTime }),
    ...(trigger !== undefined && { trigger }),
  };
}

/** Of what could not be imported the first is named: the others wait for the same thing, or the same person. */
function tellRefused(
  { recorder }: Tools,
  repository: VMBackupRepository,
  refused: readonly KnownBackup[],
  why: string | undefined,
): void {
  const [first] = refused;
  if (first === undefined) return;
  const more = refused.length > 1 ? ` (and ${refused.length - 1} more)` : '';
  const note = clip(`${first.path} cannot be imported${more}: ${why}`);
  const event = { type: 'Warning', reason: 'ImportRefused', action: 'Import', note } as const;
  recorder.record(vmBackupRepositories, repository, event);
}

/** Makes the object, then fills its status: until then its mark keeps everybody from taking a backup for it. */
async function importBackup(
  kube: Kube,
  repository: string,
  backup: KnownBackup,
  signal: AbortSignal,
): Promise<void> {
  const { name, uid } = backup.backup;
  for (const candidate of [name, `${name.slice(0, 244)}-${uid8(uid)}`]) {
    const object = importedObject(repository, backup, candidate);
    try {
      await fill(kube, await kube.create(vmBackups, object, signal), backup, signal);
      return;
    } catch (error) {
      if (!(error instanceof AlreadyExists)) throw error;
    }
    const there = await kube.get(vmBackups, object.metadata, signal);
    // Made before, by a run that was killed. Another one keeps its name and everything else.
    if (isObjectOf(there, backup)) {
      await fill(kube, there, backup, signal);
      return;
    }
  }
}

async function fill(kube: Kube, object: VMBackup, backup: KnownBackup, signal: AbortSignal): Promise<void> {
  if (object.status?.execution !== undefined) return;
  await writeStatus(
    kube,
    vmBackups,
    object,
    importedStatus(backup, object.metadata.creationTimestamp),
    writer,
    signal,
  );
}

async function livingOf(
  kube: Kube,
  names: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const living = new Set<string>();
  for (const name of names) {
    try {
      const { metadata } = await kube.get(namespaces, { name }, signal);
      if (metadata.deletionTimestamp === undefined) living.add(name);
    } catch (error) {
      if (!(error instanceof NotFound)) throw error;
    }
  }
  return living;
}
