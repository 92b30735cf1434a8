import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { VMRestore } from '../../crds/vmrestore.ts';
import { notMountableByJobs } from '../job/not-mountable.ts';
import { DATA_FINALIZER, DELETE_WITH_ANNOTATION } from '../labels.ts';
import { isReadBy } from '../restore/reads.ts';
import { isUnderWay, standingOf } from '../standing.ts';
import { clip, type Why } from '../why.ts';
import { chainOf, descendantsOf } from './family.ts';

/** What goes with a backup: itself alone; all that stands on it; the chain that it belongs to, from its full on. */
export type DeleteWith = 'Nothing' | 'Following' | 'Chain';

/** All that decides what becomes of a VMBackup whose deletion was asked for. */
export interface DeletionWorld {
  readonly backup: VMBackup;
  /** VMBackups of the same VM. */
  readonly siblings: readonly VMBackup[];
  /** VMRestores that are not over. */
  readonly restores: readonly VMRestore[];
  /** Whether a Job, or a pod of one, still works on it: then what it commits may come after any sweep. */
  readonly hasJob: boolean;
  /** Whether its namespace is being deleted, or gone. */
  readonly namespaceDeleted: boolean;
  readonly repository: VMBackupRepository | undefined;
  readonly clusterId: string;
}

export type DeletionDecision =
  /** Let the object go: there is no data, or it stays. */
  | { readonly kind: 'Release'; readonly why: Why }
  /** The object stays for now; look again after so many milliseconds. */
  | { readonly kind: 'Wait'; readonly why: Why; readonly afterMs: number }
  /** These go with it, by explicit wish: ask for their deletion first. */
  | { readonly kind: 'Spread'; readonly why: Why; readonly backups: readonly VMBackup[] }
  /** The next sweep of the repository removes the data. */
  | { readonly kind: 'Sweep'; readonly why: Why; readonly scope: DeleteWith };

/** Reason of a backup that a sweep may take. */
export const WAITING_FOR_SWEEP = 'WaitingForSweep';
/** Reason of a backup that others stand on. */
export const HAS_DESCENDANTS = 'HasDescendants';

/** A plan that was just made with this backup as its parent is in the caches after this long. Milliseconds. */
export const SETTLE_MS = 5000;
/** A sweep that did not remove the data is tried again after this long. */
export const SWEEP_AGAIN_MS = 300_000;
/** One that found others on it, which may be gone soon: after this long. */
const DESCENDANTS_AGAIN_MS = 60_000;
/** An agent, or a node with a Job's pod, that has not given up after this long is dead. */
const EXECUTOR_GRACE_MS = 600_000;
const LOOK_AGAIN_MS = 60_000;
/** Of what takes seconds. */
const SOON_MS = SETTLE_MS;

type Check = (world: DeletionWorld, now: number) => Why | undefined;

/** What lets the object go and leaves the data, if there is any. First match wins. */
const whyRelease: readonly Check[] = [retained, namespaceDeleted, takenByAnotherCluster, neverPlanned];
/** What the removal waits for. First match wins. */
const whyWait: readonly Check[] = [
  held,
  backupRunning,
  beingRestored,
  familyHeld,
  repositoryNotFound,
  repositoryNotMountable,
  repositoryNotReady,
  hasDescendants,
  settling,
  sweptInVain,
];

/** Whether the data goes with the object, so that the object must wait for it. */
export function removesData({ spec }: Pick<VMBackup, 'spec'>, clusterId: string): boolean {
  return spec.deletionPolicy === 'Delete' && (spec.imported?.cluster ?? clusterId) === clusterId;
}

/** Decides what becomes of a VMBackup that bears a deletion timestamp and our finalizer. In doubt the data stays. */
export function decideDeletion(world: DeletionWorld, now: number): DeletionDecision {
  for (const check of whyRelease) {
    const why = check(world, now);
    if (why !== undefined) return { kind: 'Release', why };
  }
  const together = held(world) ?? familyHeld(world);
  const backups = together === undefined ? familyOf(world).filter(isLive) : [];
  if (backups.length > 0) {
    const message = `${names(backups)} ${backups.length === 1 ? 'goes' : 'go'} with it, as ${DELETE_WITH_ANNOTATION} asks.`;
    return { kind: 'Spread', why: { reason: 'DeletingTogether', message: clip(message) }, backups };
  }
  for (const check of whyWait) {
    const why = check(world, now);
    if (why === undefined) continue;
    const afterMs = /^(Settling|BackupRunning)$/.test(why.reason) ? SOON_MS : LOOK_AGAIN_MS;
    return { kind: 'Wait', why: { ...why, message: clip(why.message) }, afterMs };
  }
  const message = 'Its data is removed by the next sweep of the repository.';
  return { kind: 'Sweep', why: { reason: WAITING_FOR_SWEEP, message }, scope: scopeOf(world.backup) };
}

/** What the annotation asks for; anything that is not understood asks for nothing. */
export function scopeOf({ metadata }: VMBackup): DeleteWith {
  const asked = metadata.annotations?.[DELETE_WITH_ANNOTATION];
  return asked === 'Following' || asked === 'Chain' ? asked : 'Nothing';
}

function familyOf({ backup, siblings }: DeletionWorld): readonly VMBackup[] {
  switch (scopeOf(backup)) {
    case 'Nothing':
      return [];
    case 'Following':
      return descendantsOf(backup, siblings);
    case 'Chain':
      return chainOf(backup, siblings);
  }
}

/** Not on its way out together with its data. */
function isLive({ metadata, spec }: VMBackup): boolean {
  if (metadata.deletionTimestamp === undefined || spec.hold === true) return true;
  return spec.deletionPolicy !== 'Delete' || metadata.finalizers?.includes(DATA_FINALIZER) !== true;
}

function retained({ backup }: DeletionWorld): Why | undefined {
  if (backup.spec.deletionPolicy === 'Delete') return undefined;
  return { reason: 'Retained', message: 'deletionPolicy is Retain: the data stays in the repository.' };
}

function namespaceDeleted(world: DeletionWorld): Why | undefined {
  if (!world.namespaceDeleted) return undefined;
  const message = 'Its namespace is being deleted, and that removes no data: it stays in the repository.';
  return { reason: 'NamespaceDeleted', message };
}

function takenByAnotherCluster({ backup, clusterId }: DeletionWorld): Why | undefined {
  if (removesData(backup, clusterId)) return undefined;
  const message = `Cluster ${backup.spec.imported?.cluster} took this backup, and it alone may remove the data.`;
  return { reason: 'TakenByAnotherCluster', message };
}

function neverPlanned({ backup }: DeletionWorld): Why | undefined {
  if (backup.status?.plan !== undefined) return undefined;
  return { reason: 'NoData', message: 'It was never begun: there is no data.' };
}

function held({ backup }: DeletionWorld): Why | undefined {
  if (backup.spec.hold !== true) return undefined;
  const message =
    'spec.hold is true: set it to false to remove the data, or set deletionPolicy to Retain to let the object go and keep the data.';
  return { reason: 'Held', message };
}

function familyHeld(world: DeletionWorld): Why | undefined {
  const holding = familyOf(world).filter(({ spec }) => spec.hold === true);
  if (holding.length === 0) return undefined;
  const message = `${DELETE_WITH_ANNOTATION} would remove ${names(holding)} as well, and spec.hold is true there: set it to false, or take the annotation away.`;
  return { reason: 'Held', message };
}

/** An agent says itself when it has ended; a Job is over when it and its pods are gone. */
function backupRunning({ backup, hasJob }: DeletionWorld, now: number): Why | undefined {
  if (!isUnderWay(standingOf(backup)) || now - deletedAt(backup) > EXECUTOR_GRACE_MS) return undefined;
  const { plan } = backup.status ?? {};
  if (plan === undefined || (plan.job !== undefined && !hasJob)) return undefined;
  const message =
    plan.job === undefined
      ? `The agent on node '${plan.nodeName}' ends the running backup first.`
      : `Job '${plan.job}', which takes the backup, is being stopped first.`;
  return { reason: 'BackupRunning', message };
}

/** A restore that lost its source half-way would be for nothing, and so may be the only good copy. */
function beingRestored({ backup, siblings, restores }: DeletionWorld): Why | undefined {
  const needed = [backup, ...descendantsOf(backup, siblings)];
  const reader = restores.find((restore) => needed.some((it) => isReadBy(it, restore)));
  if (reader === undefined) return undefined;
  const { namespace = '', name } = reader.metadata;
  const message = `VMRestore ${namespace}/${name} reads it: the data goes when that is over. It waits for you? kubectl describe tmr -n ${namespace} ${name}`;
  return { reason: 'BeingRestored', message };
}

function repositoryNotFound({ backup, repository }: DeletionWorld): Why | undefined {
  if (repository !== undefined) return undefined;
  const message = `VMBackupRepository '${backup.spec.repository}' is not there, so the data cannot be removed: make it again, or set deletionPolicy to Retain to let the object go.`;
  return { reason: 'RepositoryNotFound', message };
}

function repositoryNotMountable({ repository }: DeletionWorld): Why | undefined {
  return notMountableByJobs(repository);
}

function repositoryNotReady({ repository }: DeletionWorld): Why | undefined {
  const ready = repository?.status?.conditions?.find(({ type }) => type === 'Ready');
  if (ready?.status === 'True') return undefined;
  const message = `The data cannot be removed while the repository is not ready (${ready?.message ?? 'no agent has looked at it yet'}). To let the object go and keep the data, set deletionPolicy to Retain.`;
  return { reason: 'RepositoryNotReady', message };
}

function hasDescendants({ backup, siblings }: DeletionWorld): Why | undefined {
  const live = descendantsOf(backup, siblings).filter(isLive);
  if (live.length === 0) return undefined;
  const message = `${names(live)} ${live.length === 1 ? 'stands' : 'stand'} on it: the data goes when they are gone. To remove them as well, annotate this object with ${DELETE_WITH_ANNOTATION}=Following, or =Chain for the whole chain.`;
  return { reason: HAS_DESCENDANTS, message };
}

/** What stands on it and is going, too, must be ripe for the same sweep, else this one is swept in vain. */
function settling({ backup, siblings }: DeletionWorld, now: number): Why | undefined {
  const together = [backup, ...descendantsOf(backup, siblings)];
  if (together.every((each) => now - deletedAt(each) >= SETTLE_MS)) return undefined;
  return {
    reason: 'Settling',
    message: 'A backup that was planned just now may stand on it: waits for news.',
  };
}

function sweptInVain({ backup }: DeletionWorld, now: number): Why | undefined {
  const { removal } = backup.status ?? {};
  const afterMs = removal?.reason === HAS_DESCENDANTS ? DESCENDANTS_AGAIN_MS : SWEEP_AGAIN_MS;
  if (removal === undefined || now - Date.parse(removal.at) >= afterMs) return undefined;
  // The wish changed what the sweep may take.
  if (removal.reason === HAS_DESCENDANTS && scopeOf(backup) !== (removal.with ?? 'Nothing')) return undefined;
  return removal;
}

function deletedAt({ metadata }: VMBackup): number {
  return Date.parse(metadata.deletionTimestamp ?? '') || 0;
}

/** The first few names. */
function names(backups: readonly VMBackup[]): string {
  const some = backups.slice(0, 5).map(({ metadata }) => metadata.name);
  const more = backups.length - some.length;
  return more > 0 ? `${some.join(', ')} and ${more} more` : some.join(', ');
}
