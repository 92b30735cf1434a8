import { isDeepStrictEqual } from 'node:util';
import { labelValue, SCHEDULE_LABEL } from '../../domain/labels.ts';
import { standingOf } from '../../domain/standing.ts';
import { keyOf } from '../../kube/kind.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { Caches } from '../caches.ts';

/** What makes a VMBackupSchedule worth another look: itself, its backups, and VMs that come, go or change their labels. */
export function scheduleSources(caches: Caches): readonly Source[] {
  const schedulesIn = (namespace: string | undefined) => caches.views.schedulesIn(namespace ?? '');
  return [
    watching(caches.schedules),
    watching(caches.backups, (change) => {
      // Its progress is told all the time, and no schedule cares.
      if (change.old && change.new && standingOf(change.old).kind === standingOf(change.new).kind) return [];
      const metadata = (change.new ?? change.old)?.metadata;
      const label = metadata?.labels?.[SCHEDULE_LABEL];
      return schedulesIn(metadata?.namespace)
        .filter((schedule) => labelValue(schedule.metadata.name) === label)
        .map((schedule) => keyOf(schedule.metadata));
    }),
    watching(caches.vms, (change) => {
      const [before, after] = [change.old?.metadata, change.new?.metadata];
      // A VM's status changes all the time, and no schedule cares.
      if (before && after && isDeepStrictEqual(before.labels, after.labels)) return [];
      return schedulesIn((after ?? before)?.namespace).map((schedule) => keyOf(schedule.metadata));
    }),
    // Which VMs run must be known before the first slot is judged; who starts or stops in between is no reason to look.
    watching(caches.vmis, () => []),
  ];
}
