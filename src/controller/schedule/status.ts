import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupScheduleStatus } from '../../crds/vmbackupschedule.ts';
import type { ScheduleDecision, ScheduleWorld } from '../../domain/schedule/decide-run.ts';
import { isOver, standingOf } from '../../domain/standing.ts';
import { clip, type Why } from '../../domain/why.ts';
import { conditionsFor, type Desired } from '../../kube/conditions.ts';

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
  const same: Partial<VMBackupScheduleStatus> = {
    observedGeneration: generation,
    conditions: [...conditionsFor(before?.conditions ?? [], desired(world, decision), at)],
    lastScheduleTime: before?.lastScheduleTime,
    lastSuccessfulTime: lastSuccess(world),
    active: active(world.children),
    missedRuns: before?.missedRuns ?? 0,
  };
  if (decision.kind === 'Invalid') return same;
  const { run, next, missed, matched } = decision;
  return {
    ...same,
    lastScheduleTime: run === undefined ? before?.lastScheduleTime : timestamp(run.slot),
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

function desired(world: ScheduleWorld, decision: ScheduleDecision): readonly Desired[] {
  const trouble = troubleOf(world, decision);
  const { reason, message } = trouble ?? { reason: 'Scheduled', message: '' };
  if (decision.kind === 'Invalid') return [{ type: 'Stalled', status: 'True', reason, message }];
  if (trouble !== undefined) return [{ type: 'Ready', status: 'False', reason, message }];
  const { spec } = world.schedule;
  if (spec.suspend) {
    const message = 'spec.suspend is true: no backups are made until it is false.';
    return [{ type: 'Ready', status: 'True', reason: 'Suspended', message }];
  }
  const vms = decision.matched.length === 1 ? '1 VM' : `${decision.matched.length} VMs`;
  return [
    {
      type: 'Ready',
      status: 'True',
      reason,
      message: `Backs up ${vms} at '${spec.schedule}' (${spec.timeZone}).`,
    },
  ];
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

/** Compares instants: the agent's times may have fractions of a second. */
function later(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return Date.parse(b) > Date.parse(a) ? b : a;
}

function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, 'Z');
}
