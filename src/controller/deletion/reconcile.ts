import type { ObjectMeta } from '../../crds/api.ts';
import { namespaces } from '../../crds/core.ts';
import { type VMBackup, type VMBackupStatus, vmBackups } from '../../crds/vmbackup.ts';
import {
  type DeletionDecision,
  type DeletionWorld,
  decideDeletion,
  removesData,
} from '../../domain/deletion/decide-deletion.ts';
import { BACKUP_LABEL } from '../../domain/executor.ts';
import { DATA_FINALIZER } from '../../domain/labels.ts';
import { conditionOf, conditionsFor, type Desired } from '../../kube/conditions.ts';
import { NotFound } from '../../kube/errors.ts';
import type { Event } from '../../kube/events.ts';
import { addFinalizer, removeFinalizer } from '../../kube/finalizers.ts';
import { Again, Done, type Outcome, Waiting } from '../../kube/outcome.ts';
import type { StatusWriter } from '../../kube/status.ts';
import { type Caches, within } from '../caches.ts';
import { report, type Tools } from '../report.ts';
import { beginRemoval } from './begin-removal.ts';

/** A sweep is asked for again and again until it took the backup: what it said is seen by the watch. Milliseconds. */
const LOOK_AGAIN_MS = 30_000;

/**
 * Sees to it that a backup bears our finalizer as long as its data is to go with it, and only then: an uninstalled Tidemark must not
 * leave objects behind that nobody can delete. Resolves to whether something changed; the watch brings the key back then.
 */
export async function settleFinalizer(
  { kube }: Tools,
  clusterId: string,
  backup: VMBackup,
  signal: AbortSignal,
): Promise<boolean> {
  const has = backup.metadata.finalizers?.includes(DATA_FINALIZER) === true;
  const wants = removesData(backup, clusterId);
  if (has === wants) return false;
  const change = wants ? addFinalizer : removeFinalizer;
  await change(kube, vmBackups, backup, DATA_FINALIZER, signal);
  return true;
}

/** Brings the deletion of one VMBackup a step on. What removes the data itself is a sweep of the repository. */
export async function reconcileDeletion(
  caches: Caches,
  clusterId: string,
  tools: Tools,
  backup: VMBackup,
  writer: StatusWriter<VMBackup>,
  signal: AbortSignal,
): Promise<Outcome> {
  if (backup.metadata.finalizers?.includes(DATA_FINALIZER) !== true) return Done();
  const now = tools.clock.now();
  const decision = decideDeletion(await observeDeletion(caches, tools, clusterId, backup, signal), now);
  if (decision.kind === 'Release') {
    tools.recorder.record(vmBackups, backup, event('Normal', decision.why.reason, decision.why.message));
    await removeFinalizer(tools.kube, vmBackups, backup, DATA_FINALIZER, signal);
    return Done();
  }
  const status = deletionStatus(backup, decision, new Date(now));
  const events = deletionEvents(backup, decision);
  await report(tools, caches.backups, backup, { status, events }, writer, signal);
  if (decision.kind === 'Spread') {
    for (const other of decision.backups) await beginRemoval(tools.kube, other, signal);
    return Again(1000);
  }
  if (decision.kind === 'Sweep') return Again(LOOK_AGAIN_MS);
  return Waiting(decision.why.reason, decision.why.message, decision.afterMs);
}

/** Gathers what decides on a deletion. The namespace is asked for, and not taken from a cache: nothing else keeps its data. */
export async function observeDeletion(
  caches: Caches,
  { kube }: Pick<Tools, 'kube'>,
  clusterId: string,
  backup: VMBackup,
  signal: AbortSignal,
): Promise<DeletionWorld> {
  const { namespace, uid } = backup.metadata;
  const isOfIt = ({ metadata }: { readonly metadata: ObjectMeta }) => metadata.labels?.[BACKUP_LABEL] === uid;
  return {
    backup,
    hasJob: [...caches.jobs.list(isOfIt), ...caches.jobPods.list(isOfIt)].length > 0,
    siblings: caches.views.backupsOfVm(within(namespace, backup.spec.vmName)),
    restores: caches.restores.list(({ status }) => status?.completedAt === undefined),
    namespaceDeleted: await isDeleted(kube, namespace ?? '', signal),
    repository: caches.repositories.get({ name: backup.spec.repository }),
    clusterId,
  };
}

async function isDeleted(kube: Tools['kube'], name: string, signal: AbortSignal): Promise<boolean> {
  try {
    const { metadata } = await kube.get(namespaces, { name }, signal);
    return metadata.deletionTimestamp !== undefined;
  } catch (error) {
    if (error instanceof NotFound) return true;
    throw error;
  }
}

/** What the record says stays; only the conditions and the phase tell of the deletion. */
function deletionStatus(
  { metadata, status }: VMBackup,
  { why }: DeletionDecision,
  now: Date,
): Partial<VMBackupStatus> {
  const before = status?.conditions ?? [];
  // It tells that the backup failed for good, which nothing else does.
  const stalled = conditionOf(before, 'Stalled');
  const desired: readonly Desired[] = [
    ...(stalled === undefined ? [] : [stalled]),
    { type: 'Reconciling', status: 'True', ...why },
  ];
  const generation = metadata.generation ?? 0;
  return {
    ...status,
    observedGeneration: generation,
    conditions: [...conditionsFor(before, desired, { generation, now })],
    phase: 'Deleting',
  };
}

function deletionEvents({ status }: VMBackup, { kind, why }: DeletionDecision): readonly Event[] {
  if (conditionOf(status?.conditions, 'Reconciling')?.reason === why.reason) return [];
  const isQuiet = kind !== 'Wait' || why.reason === 'Settling' || why.reason === 'BackupRunning';
  return [event(isQuiet ? 'Normal' : 'Warning', why.reason, why.message)];
}

function event(type: Event['type'], reason: string, note: string): Event {
  return { type, reason, action: 'Delete', note };
}
