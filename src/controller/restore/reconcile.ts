import type { VMRestore } from '../../crds/vmrestore.ts';
import { restoreByHand } from '../../domain/restore-by-hand.ts';
import { conditionOf, conditionsFor } from '../../kube/conditions.ts';
import type { Event } from '../../kube/events.ts';
import { keyOf } from '../../kube/kind.ts';
import { Done, type Outcome, Stalled } from '../../kube/outcome.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { StatusWriter } from '../../kube/status.ts';
import type { Caches } from '../caches.ts';
import { FIELD_MANAGER } from '../names.ts';
import { report, type Tools } from '../report.ts';

const writer: StatusWriter<VMRestore> = {
  fieldManager: FIELD_MANAGER,
  fields: ['observedGeneration', 'conditions'],
};

/** Answers a VMRestore. Nothing carries it out yet, so the honest answer is how to do it by hand. */
export async function reconcileRestore(
  caches: Caches,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const restore = caches.restores.get(key);
  if (restore === undefined || restore.metadata.deletionTimestamp !== undefined) return Done();
  const { namespace, generation = 0 } = restore.metadata;
  const { backupName, repositoryPath } = restore.spec.source;
  const backup = backupName === undefined ? undefined : caches.backups.get({ namespace, name: backupName });
  const repositoryName = backup?.spec.repository ?? repositoryPath?.repository;
  const repository =
    repositoryName === undefined ? undefined : caches.repositories.get({ name: repositoryName });
  const why = restoreByHand({ restore, backup, repository });
  const before = restore.status?.conditions ?? [];
  const at = { generation, now: new Date(tools.clock.now()) };
  const conditions = [...conditionsFor(before, [{ type: 'Stalled', status: 'True', ...why }], at)];
  const event: Event = { type: 'Warning', reason: why.reason, action: 'Restore', note: why.message };
  const events = conditionOf(before, 'Stalled')?.reason === why.reason ? [] : [event];
  const status = { observedGeneration: generation, conditions };
  await report(tools, caches.restores, restore, { status, events }, writer, signal);
  return Stalled(why.reason, why.message);
}

/** What makes a VMRestore worth another look: itself, and the backup it names. */
export function restoreSources(caches: Caches): readonly Source[] {
  return [
    watching(caches.restores),
    watching(caches.backups, ({ key }) =>
      caches.restores
        .list(({ metadata, spec }) => `${metadata.namespace ?? ''}/${spec.source.backupName ?? ''}` === key)
        .map(({ metadata }) => keyOf(metadata)),
    ),
    // They must be known before the first answer.
    watching(caches.repositories, () => []),
  ];
}
