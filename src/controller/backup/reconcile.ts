import type { VMBackup } from '../../crds/vmbackup.ts';
import { type BackupDecision, decideBackup } from '../../domain/decide-backup.ts';
import { Again, Done, type Outcome, Waiting } from '../../kube/outcome.ts';
import type { StatusWriter } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { reconcileDeletion, settleFinalizer } from '../deletion/reconcile.ts';
import { FIELD_MANAGER } from '../names.ts';
import { report, type Tools } from '../report.ts';
import { backupEvents } from './events.ts';
import { observeBackup } from './observe.ts';
import { backupStatus } from './status.ts';

const writer: StatusWriter<VMBackup> = {
  fieldManager: FIELD_MANAGER,
  fields: [
    'observedGeneration',
    'conditions',
    'phase',
    'plan',
    'waitingSince',
    'attempts',
    'type',
    'typeReason',
    'chain',
    'size',
    'seconds',
  ],
};

/** Brings one VMBackup a step on: looks, decides, and records the decision. The agent does the rest. */
export async function reconcileBackup(
  caches: Caches,
  clusterId: string,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const backup = caches.backups.get(key);
  if (backup === undefined) return Done();
  if (backup.metadata.deletionTimestamp !== undefined)
    return await reconcileDeletion(caches, clusterId, tools, backup, writer, signal);
  if (await settleFinalizer(tools, clusterId, backup, signal)) return Done();
  const now = tools.clock.now();
  const decision = decideBackup(observeBackup(caches, clusterId, backup, now), now);
  const status = backupStatus(backup, decision, new Date(now));
  const events = backupEvents(backup, decision);
  await report(tools, caches.backups, backup, { status, events }, writer, signal);
  return outcomeOf(decision);
}

function outcomeOf(decision: BackupDecision): Outcome {
  switch (decision.kind) {
    case 'Wait':
      return Waiting(decision.why.reason, decision.why.message, decision.afterMs);
    case 'InProgress':
      return Again(decision.afterMs);
    case 'Plan':
    case 'Succeeded':
    case 'Failed':
      // The write itself brings the key back, and what is over stays over.
      return Done();
  }
}
