import { REPOSITORY_LABEL } from '../../domain/labels.ts';
import { asksForVerification } from '../../domain/upkeep/verification.ts';
import type { Change } from '../../kube/change.ts';
import { type KubeObject, keyOf } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { Caches } from '../caches.ts';

type Labelled = KubeObject & {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> | undefined };
};

/** What makes a repository's upkeep worth another look: itself, its Jobs and their pods, and backups that are being deleted or ask to be verified. */
export function upkeepSources(caches: Caches): readonly Source[] {
  const ofRepository = (change: Change<Labelled>): readonly string[] => {
    const uid = (change.new ?? change.old)?.metadata.labels?.[REPOSITORY_LABEL];
    if (uid === undefined) return [];
    return caches.repositories
      .list(({ metadata }) => metadata.uid === uid)
      .map(({ metadata }) => keyOf(metadata));
  };
  return [
    watching(caches.repositories),
    watching(caches.jobs, ofRepository),
    watching(caches.jobPods, ofRepository),
    watching(caches.backups, ({ new: backup }) =>
      backup !== undefined && (backup.metadata.deletionTimestamp !== undefined || asksForVerification(backup))
        ? [backup.spec.repository]
        : [],
    ),
  ];
}
