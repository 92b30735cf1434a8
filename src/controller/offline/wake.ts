import type { VMBackup } from '../../crds/vmbackup.ts';
import { BACKUP_LABEL } from '../../domain/executor.ts';
import type { Change } from '../../kube/change.ts';
import { keyOf } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { Caches } from '../caches.ts';

type Labelled = {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
};

/** What makes the Job of a stopped VM's backup worth another look: the backup, its Job and pods, and the VM's instance. */
export function offlineSources(caches: Caches): readonly Source[] {
  const labelled = (change: Change<Labelled>): readonly string[] => {
    const uid = (change.new ?? change.old)?.metadata.labels?.[BACKUP_LABEL];
    return uid === undefined ? [] : keys(caches.backups.list(({ metadata }) => metadata.uid === uid));
  };
  return [
    watching(caches.backups),
    watching(caches.jobs, labelled),
    watching(caches.jobPods, labelled),
    watching(caches.vms, ({ key }) => keys(caches.views.openBackupsOfVm(key))),
    watching(caches.vmis, ({ key }) => keys(caches.views.openBackupsOfVm(key))),
    // They must be known before the first Job is made.
    watching(caches.claims, () => []),
    watching(caches.repositories, () => []),
  ];
}

function keys(backups: readonly VMBackup[]): readonly string[] {
  return backups
    .filter(({ status }) => status?.plan?.job !== undefined)
    .map(({ metadata }) => keyOf(metadata));
}
