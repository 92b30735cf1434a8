import type { VMRestore } from '../../crds/vmrestore.ts';
import { RESTORE_LABEL } from '../../domain/restore/names.ts';
import type { Change } from '../../kube/change.ts';
import { type KubeObject, keyOf } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { Caches } from '../caches.ts';

/** What makes a VMRestore worth another look: itself, its backup, its Jobs and their pods, its claims, its VM. */
export function restoreSources(caches: Caches): readonly Source[] {
  const open = (concerns: (restore: VMRestore) => boolean): readonly string[] =>
    caches.restores
      .list((restore) => restore.status?.completedAt === undefined && concerns(restore))
      .map(({ metadata }) => keyOf(metadata));
  const labelled = (change: Change<KubeObject & { readonly metadata: Labelled }>): readonly string[] => {
    const uid = (change.new ?? change.old)?.metadata.labels?.[RESTORE_LABEL];
    return uid === undefined ? [] : open(({ metadata }) => metadata.uid === uid);
  };
  const ofVm = ({ key }: Change<KubeObject>): readonly string[] =>
    open(({ metadata, spec }) => {
      const vmName = spec.target.newVM?.name ?? spec.target.inPlace?.vmName;
      return keyOf({ namespace: metadata.namespace, name: vmName ?? '' }) === key;
    });
  return [
    watching(caches.restores),
    watching(caches.backups, ({ key }) =>
      open(
        ({ metadata, spec }) =>
          keyOf({ namespace: metadata.namespace, name: spec.source.backupName ?? '' }) === key,
      ),
    ),
    watching(caches.repositories, () => open(() => true)),
    watching(caches.jobs, labelled),
    watching(caches.jobPods, labelled),
    watching(caches.claims, labelled),
    watching(caches.vms, ofVm),
    watching(caches.vmis, ofVm),
  ];
}

interface Labelled {
  readonly name: string;
  readonly labels?: Readonly<Record<string, string>> | undefined;
}
