import { LISTING_LABEL } from '../../domain/labels.ts';
import type { Change } from '../../kube/change.ts';
import { keyOf, type KubeObject } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { Caches } from '../caches.ts';

type Labelled = KubeObject & {
  readonly metadata: { readonly labels?: Readonly<Record<string, string>> | undefined };
};

/** What makes a VMBackupListing worth another look: itself, its Job and that one's pods. */
export function listingSources(caches: Caches): readonly Source[] {
  const ofListing = (change: Change<Labelled>): readonly string[] => {
    const uid = (change.new ?? change.old)?.metadata.labels?.[LISTING_LABEL];
    return uid === undefined
      ? []
      : caches.listings.list(({ metadata }) => metadata.uid === uid).map(({ metadata }) => keyOf(metadata));
  };
  return [
    watching(caches.listings),
    watching(caches.jobs, ofListing),
    watching(caches.jobPods, ofListing),
    // Not woken by: they must be known before the first decision.
    watching(caches.repositories, () => []),
    watching(caches.backups, () => []),
  ];
}
