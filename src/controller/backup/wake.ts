import type { VMBackup } from '../../crds/vmbackup.ts';
import type { Change } from '../../kube/change.ts';
import { type KubeObject, keyOf } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import { type Caches, within } from '../caches.ts';

/** What makes a VMBackup worth another look: itself, its VM, its repository, and the other backups of its VM. */
export function backupSources(caches: Caches): readonly Source[] {
  const { views } = caches;
  const ofVm = (change: Change<KubeObject>): readonly string[] =>
    // The keys of a VM and of its instance are the key of the view.
    views.openBackupsOfVm(change.key).map(keyOfBackup);
  return [
    watching(caches.backups, (change) => {
      const backup = change.new ?? change.old;
      if (backup === undefined) return [change.key];
      const siblings = views.openBackupsOfVm(within(backup.metadata.namespace, backup.spec.vmName));
      return new Set([change.key, ...siblings.map(keyOfBackup)]);
    }),
    watching(caches.vms, ofVm),
    watching(caches.vmis, ofVm),
    watching(caches.repositories, ({ key }) => views.openBackupsInto(key).map(keyOfBackup)),
    // Not woken by: what they tell is looked at in passing. They must be known before the first decision, though.
    watching(caches.claims, () => []),
    watching(caches.agentLeases, () => []),
  ];
}

function keyOfBackup(backup: VMBackup): string {
  return keyOf(backup.metadata);
}
