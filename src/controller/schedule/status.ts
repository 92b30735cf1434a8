import type { VMBackup } from '../../crds/vmbackup.ts';
import type { ScheduledVm, VMBackupScheduleStatus } from '../../crds/vmbackupschedule.ts';
import { resumedAt, type ScheduleDecision, type ScheduleWorld } from '../../domain/schedule/decide-run.ts';
import { isOver, standingOf } from '../../domain/standing.ts';
import { clip, type Why } from '../../domain/why.ts';
import { timestamp } from '../../kube/clock.ts';
import { conditionsFor, type Desired } from '../../kube/conditions.ts';
import { later } from './later.ts';
import { firstVms, scheduledVms } from './vms.ts';

/** The API keeps so many names. */
const ACTIVE_LIMIT = 32;

/** The status of a schedule, after what was due was done. */
export function scheduleStatus(
  world: ScheduleWorld,
  decision: ScheduleDecision,
  now: Date,
): Partial<VMBackupScheduleStatus> {
  const { metadata, status: before } = world.schedule;
  const generation = metadata.generation ?? 0;
  const at = { generation, now };
  const resumed = resumedAt(world.schedule, now.getTime());
  const vms =
    decision.kind === 'Invalid'
      ? (before?.vms ?? [])
      : scheduledVms(decision.matched, world.children, before?.vms ?? []);
  const same: Partial<VMBackupScheduleStatus> = {
    observedGeneration: generation,
    conditions: [...conditionsFor(before?.conditions ?? [], desired(world, decision, vms), at)],
    run: before?.run,
    lastManualTrigger: before?.lastManualTrigger,
    resumedAt: resumed === undefined ? undefined : timestamp(resumed),
    vms: firstVms(vms),
    lastScheduleTime: before?.lastScheduleTime,
    lastSuccessfulTime: lastSuccess(world),
    active: active(world.children),
    missedRuns: before?.missedRuns ?? 0,
  };
  if (decision.kind === 'Invalid') return same;
  const { run, next, missed, matched, token, effective } = decision;
  const ranSlot = run === undefined || run.isManual ? undefined : timestamp(run.slot);
  return {
    ...same,
    effectiveSchedule: effective,
    run: run === undefined ? before?.run : run.rest,
    lastManualTrigger: token ?? before?.lastManualTrigger,
    lastScheduleTime: ranSlot ?? before?.lastScheduleTime,
    nextScheduleTime: next === undefined ? undefined : timestamp(next),
    matchedVMs: matched.length,
    missedRuns: (before?.missedRuns ?? 0) + missed,
  };
}

/** Why a schedule that can be read does not do what was meant; undefined if it does. */
export function troubleOf({ schedule }: ScheduleWorld, decision: ScheduleDecision): Why | undefined {
  if (decision.kind === 'Invalid') return decision.why;
  const where = `namespace '${schedule.metadata.namespace ?? ''}'`;
  if (decision.missing.length > 0) {
    const names = decision.missing.map((name) => `'${name}'`).join(', ');
    const message = `vmNames lists ${names}, and there is no such VirtualMachine in ${where}: correct the names, or make the VMs. The other VMs are backed up.`;
    return { reason: 'VMNotFound', message: clip(message) };
  }
  if (decision.matched.length > 0) return undefined;
  const message = `vmSelector matches no VirtualMachine in ${where}: label the VMs, or change the selector.`;
  return { reason: 'NoVMsMatched', message };
}

/** So many VMs are named in a sentence; the rest is a number. */
const NAMED_VMS = 10;

/** Says whose backups fail; undefined if nobody's do. */
function failing(vms: readonly ScheduledVm[]): Desired | undefined {
  const failed = vms.filter(({ lastFailure }) => lastFailure !== undefined);
  if (failed.length === 0) return undefined;
  const named = failed.slice(0, NAMED_VMS).map(({ name, lastFailure }) => `'${name}' (${lastFailure})`);
  const more = failed.length - named.length;
  const names = [...named, ...(more > 0 ? [`and ${more} more`] : [])].join(', ');
  const message = `The last backup of ${failed.length} of ${vms.length} VMs failed: ${names}. Look at the VMBackups of these VMs.`;
  return { type: 'BackupsFailing', status: 'True', reason: 'BackupsFailing', message };
}

function desired(
  world: ScheduleWorld,
  decision: ScheduleDecision,
  vms: readonly ScheduledVm[],
): readonly Desired[] {
  const failed = failing(vms);
  return [readiness(world, decision), ...(failed === undefined ? [] : [failed])];
}

function readiness(world: ScheduleWorld, decision: ScheduleDecision): Desired {
  const trouble = troubleOf(world, decision);
  const { reason, message } = trouble ?? { reason: 'Scheduled', message: '' };
  if (decision.kind === 'Invalid') return { type: 'Stalled', status: 'True', reason, message };
  if (trouble !== undefined) return { type: 'Ready', status: 'False', reason, message };
  const { spec } = world.schedule;
  if (spec.suspend) {
    const message = 'spec.suspend is true: no backups are made until it is false.';
    return { type: 'Ready', status: 'True', reason: 'Suspended', message };
  }
  const vms = decision.matched.length === 1 ? '1 VM' : `${decision.matched.length} VMs`;
  const said = `Backs up ${vms} at '${spec.schedule}' (${spec.timeZone}).`;
  return { type: 'Ready', status: 'True', reason, message: said };
}

function active(children: readonly VMBackup[]): string[] {
  return children
    .filter((child) => !isOver(standingOf(child)))
    .map(({ metadata }) => metadata.name)
    .sort()
    .slice(0, ACTIVE_LIMIT);
}

function lastSuccess({ schedule, children }: ScheduleWorld): string | undefined {
  const times = children.map((child) => {
    const standing = standingOf(child);
    return standing.kind === 'Succeeded' ? standing.execution.completedAt : undefined;
  });
  return [schedule.status?.lastSuccessfulTime, ...times].reduce(later, undefined);
}
