import { isDeepStrictEqual } from 'node:util';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { admit } from '../../domain/admission/admit.ts';
import { isUnderWay, standingOf } from '../../domain/standing.ts';
import type { Change } from '../../kube/change.ts';
import { type KubeObject, keyOf } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import { type Caches, within } from '../caches.ts';
import { observeContenders } from './observe.ts';

/**
 * What makes a VMBackup worth another look: itself, its VM, its repository, the other backups of its VM, and its turn.
 * @param now milliseconds since the epoch
 */
export function backupSources(caches: Caches, now: () => number): readonly Source[] {
  const { views } = caches;
  const ofVm = (change: Change<KubeObject>): readonly string[] =>
    // The keys of a VM and of its instance are the key of the view.
    views.openBackupsOfVm(change.key).map(keyOfBackup);
  return [
    watching(caches.backups, (change) => {
      const backup = change.new ?? change.old;
      if (backup === undefined) return [change.key];
      const vm = within(backup.metadata.namespace, backup.spec.vmName);
      const siblings = [...views.openBackupsOfVm(vm), ...views.backupsOfVm(vm).filter(isBeingDeleted)];
      const called = gaveUpItsSlot(change) ? whoseTurnItIs(caches, now()) : [];
      return new Set([change.key, ...[...siblings, ...called].map(keyOfBackup)]);
    }),
    watching(caches.vms, ofVm),
    watching(caches.vmis, ofVm),
    watching(caches.repositories, (change) =>
      // How much is free, and how many run, is told all the time.
      saysTheSame(change) ? [] : views.openBackupsInto(change.key).map(keyOfBackup),
    ),
    // Not woken by: what they tell is looked at in passing. They must be known before the first decision, though.
    watching(caches.claims, () => []),
    watching(caches.agentLeases, () => []),
  ];
}

function saysTheSame({ old: before, new: after }: Change<VMBackupRepository>): boolean {
  return (
    before !== undefined &&
    after !== undefined &&
    isDeepStrictEqual(before.spec, after.spec) &&
    isDeepStrictEqual(before.status?.conditions, after.status?.conditions)
  );
}

/** It may wait for others that stand on it. */
function isBeingDeleted({ metadata }: VMBackup): boolean {
  return metadata.deletionTimestamp !== undefined;
}

function gaveUpItsSlot(change: Change<VMBackup>): boolean {
  return isAtWork(change.old) && !isAtWork(change.new);
}

function isAtWork(backup: VMBackup | undefined): boolean {
  return backup !== undefined && isUnderWay(standingOf(backup));
}

/** Those in the queues who may begin now: not the whole queue is woken for each slot. */
function whoseTurnItIs(caches: Caches, now: number): readonly VMBackup[] {
  const contenders = observeContenders(caches, caches.views.agents(now));
  const turns = admit(contenders, now);
  return caches.repositories
    .list()
    .flatMap(({ metadata }) =>
      caches.views
        .openBackupsInto(metadata.name)
        .filter((backup) => turns.get(backup.metadata.uid)?.kind === 'Begin'),
    );
}

function keyOfBackup(backup: VMBackup): string {
  return keyOf(backup.metadata);
}
