import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { labelValue } from '../../domain/labels.ts';
import { decideSchedule, type ScheduleWorld } from '../../domain/schedule/decide-run.ts';
import { excessBackups, type HistoryQuestion } from '../../domain/schedule/history.ts';
import { isStopped } from '../../domain/world.ts';
import { conditionOf } from '../../kube/conditions.ts';
import { Again, Done, type Outcome, Stalled } from '../../kube/outcome.ts';
import type { StatusWriter } from '../../kube/status.ts';
import { type Caches, within } from '../caches.ts';
import { FIELD_MANAGER } from '../names.ts';
import { report, type Tools } from '../report.ts';
import { removeExcess, startRun } from './act.ts';
import { scheduleEvents } from './events.ts';
import { scheduleStatus } from './status.ts';

const writer: StatusWriter<VMBackupSchedule> = {
  fieldManager: FIELD_MANAGER,
  fields: [
    'observedGeneration',
    'conditions',
    'effectiveSchedule',
    'run',
    'lastManualTrigger',
    'resumedAt',
    'vms',
    'lastScheduleTime',
    'nextScheduleTime',
    'lastSuccessfulTime',
    'matchedVMs',
    'active',
    'missedRuns',
  ],
};

/**
 * Brings one VMBackupSchedule up to this instant: makes the backups that are due, then records the slot. Killed in between, it makes
 * the same backups again, by the same names.
 */
export async function reconcileSchedule(
  caches: Caches,
  tools: Tools,
  key: string,
  signal: AbortSignal,
): Promise<Outcome> {
  const schedule = caches.schedules.get(key);
  if (schedule === undefined || schedule.metadata.deletionTimestamp !== undefined) return Done();
  const now = tools.clock.now();
  const world = observeSchedule(caches, schedule);
  const decision = decideSchedule(world, now);
  const run = decision.kind === 'Scheduled' ? decision.run : undefined;
  const refused = run === undefined ? [] : await startRun(tools.kube, schedule, run, signal);
  const status = scheduleStatus(world, decision, new Date(now));
  const events = scheduleEvents(world, decision, refused, status);
  await report(tools, caches.schedules, schedule, { status, events }, writer, signal);
  if (decision.kind === 'Invalid') return Stalled(decision.why.reason, decision.why.message);
  // After the record of the run: if this fails, the run does not suffer from it.
  await removeExcess(tools.kube, excessBackups(observeHistory(caches, world)), signal);
  const next = Math.min(decision.next ?? Number.POSITIVE_INFINITY, run?.nextAt ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(next) ? Again(next - tools.clock.now()) : Done();
}

function observeSchedule({ views, vmis }: Caches, schedule: VMBackupSchedule): ScheduleWorld {
  const { namespace, name } = schedule.metadata;
  return {
    schedule,
    vms: views.vmsIn(namespace ?? '').map((vm) => ({
      metadata: vm.metadata,
      isStopped: isStopped({ vm, vmi: vmis.get(vm.metadata) }),
    })),
    children: views.backupsOfSchedule(within(namespace, labelValue(name))),
  };
}

function observeHistory({ views, restores }: Caches, { schedule, children }: ScheduleWorld): HistoryQuestion {
  const { metadata, spec } = schedule;
  const open = restores.list(
    (restore) =>
      restore.metadata.namespace === metadata.namespace &&
      conditionOf(restore.status?.conditions, 'Ready')?.status !== 'True' &&
      conditionOf(restore.status?.conditions, 'Stalled') === undefined,
  );
  return {
    children,
    backupsOfVm: (vmName) => views.backupsOfVm(within(metadata.namespace, vmName)),
    inUse: new Set(open.map((restore) => restore.spec.source.backupName ?? '')),
    // Retention must see the objects of all that it may have to remove.
    successful: spec.retention === undefined ? spec.successfulBackupsHistoryLimit : undefined,
    failed: spec.failedBackupsHistoryLimit,
  };
}
