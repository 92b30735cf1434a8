import type { VMBackup } from '../../crds/vmbackup.ts';
import { isOver, standingOf } from '../../domain/standing.ts';
import type { Family, Row } from '../../kube/metrics/family.ts';
import type { Caches } from '../caches.ts';

/** Backups that are not over: the queue, and why it stands. */
export function backlogFamilies({ backups }: Caches): readonly Family[] {
  return [
    {
      name: 'tidemark_backups_open',
      help: 'Backups that are not over, by where they stand (New, Assigned, Running, AttemptFailed) and what they wait for.',
      labelNames: ['repository', 'state', 'reason'],
      rows: () => backlogRows(backups.list()),
    },
  ];
}

export function backlogRows(backups: readonly VMBackup[]): readonly Row[] {
  const counts = new Map<string, Row>();
  for (const backup of backups) {
    const standing = standingOf(backup);
    if (isOver(standing)) continue;
    const waits = backup.status?.conditions?.find(
      ({ type, status }) => type === 'Reconciling' && status === 'True',
    );
    const labels = {
      repository: backup.spec.repository,
      state: standing.kind,
      reason: waits?.reason ?? '',
    };
    const key = Object.values(labels).join('/');
    counts.set(key, { labels, value: (counts.get(key)?.value ?? 0) + 1 });
  }
  return [...counts.values()];
}
