import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { humanSize } from '../../domain/columns.ts';
import { labelValue, SCHEDULE_LABEL } from '../../domain/labels.ts';
import { decideRetention, type RetentionWorld } from '../../domain/retention/decide-retention.ts';
import type { Point } from '../../domain/retention/policy.ts';
import { timestamp } from '../../kube/clock.ts';
import type { Event } from '../../kube/events.ts';
import { keyOf } from '../../kube/kind.ts';
import { Again, Done, type Outcome } from '../../kube/outcome.ts';
import { type Source, watching } from '../../kube/source.ts';
import type { StatusWriter } from '../../kube/status.ts';
import { type Caches, within } from '../caches.ts';
import { beginRemoval } from '../deletion/begin-removal.ts';
import { report, type Tools } from '../report.ts';
import { retentionStatus } from './status.ts';

/** Another owner than that of the rest of the status: each writes its own field, and neither takes away the other's. */
const writer: StatusWriter<VMBackupSchedule> = {
  fieldManager: 'tidemark-retention',
  fields: ['retention'],
};

/** So many VMBackups are deleted at one look; the next look follows at once. */
const AT_ONCE = 25;
/** What a repository's readiness or the scrub changed is seen at the latest after this long. Milliseconds. */
const LOOK_AGAIN_MS = 300_000;

/** Keeps and removes what one schedule's retention says. Safe to run again: what is going is no point any more. */
export async function reconcileRetention(
  caches: Caches,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const schedule = caches.schedules.get(key);
  if (schedule === undefined || schedule.metadata.deletionTimestamp !== undefined) return Done();
  const decision = decideRetention(observeRetention(caches, schedule), tools.clock.now());
  if (decision === undefined) {
    await report(tools, caches.schedules, schedule, { status: {}, events: [] }, writer, signal);
    return Done();
  }
  const removed = decision.apply
    ? await removeAll(caches, tools, schedule, decision.remove.slice(0, AT_ONCE), signal)
    : [];
  const now = timestamp(tools.clock.now());
  const last = removed.length > 0 ? now : schedule.status?.retention?.lastRemovalTime;
  const status = { retention: retentionStatus(decision, last) };
  await report(tools, caches.schedules, schedule, { status, events: removalEvents(removed) }, writer, signal);
  return decision.apply && decision.remove.length > 0 ? Again(1000) : Again(LOOK_AGAIN_MS);
}

/** What makes retention worth another look: the schedule, and its backups as they come and go. */
export function retentionSources(caches: Caches): readonly Source[] {
  return [
    watching(caches.schedules),
    watching(caches.backups, (change) => {
      const metadata = (change.new ?? change.old)?.metadata;
      const label = metadata?.labels?.[SCHEDULE_LABEL];
      return caches.views
        .schedulesIn(metadata?.namespace ?? '')
        .filter((schedule) => labelValue(schedule.metadata.name) === label)
        .map((schedule) => keyOf(schedule.metadata));
    }),
    // Looked at in passing; they must be known before the first decision.
    watching(caches.repositories, () => []),
  ];
}

function observeRetention({ views, repositories }: Caches, schedule: VMBackupSchedule): RetentionWorld {
  const { namespace, name } = schedule.metadata;
  const children = views.backupsOfSchedule(within(namespace, labelValue(name)));
  const vms = new Set(children.map(({ spec }) => spec.vmName));
  return {
    schedule,
    backupsByVm: [...vms].sort().map((vm) => views.backupsOfVm(within(namespace, vm))),
    repository: repositories.get({ name: schedule.spec.template.repository }),
  };
}

async function removeAll(
  caches: Caches,
  { kube }: Tools,
  { metadata }: VMBackupSchedule,
  points: readonly Point[],
  signal: AbortSignal,
): Promise<readonly Point[]> {
  const removed: Point[] = [];
  for (const point of points) {
    const backup = caches.backups.get({ namespace: metadata.namespace, name: point.name });
    if (backup !== undefined && (await beginRemoval(kube, backup, signal))) removed.push(point);
  }
  return removed;
}

function removalEvents(removed: readonly Point[]): readonly Event[] {
  if (removed.length === 0) return [];
  const bytes = humanSize(removed.reduce((sum, point) => sum + point.bytes, 0));
  const names = removed.slice(0, 5).map(({ name }) => name);
  const more = removed.length > names.length ? ' and others' : '';
  const note = `Removes ${removed.length} ${removed.length === 1 ? 'backup' : 'backups'}, ${bytes}: ${names.join(', ')}${more}.`;
  return [{ type: 'Normal', reason: 'RetentionApplied', action: 'Retain', note }];
}
