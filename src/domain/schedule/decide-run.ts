import type { VMBackup } from '../../crds/vmbackup.ts';
import type { ScheduleRun, VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { chooseVms } from '../selector.ts';
import type { Why } from '../why.ts';
import { neverRuns, parseSchedule } from './cron.ts';
import { type Due, type DueQuestion, dueSlot, spreadOf } from './due.ts';
import { effectiveSchedule } from './effective.ts';
import { type OpenRun, type Run, stepOf } from './run.ts';
import { manualRunId, slotRunId } from './run-name.ts';

/** All that the decision on one schedule looks at. */
export interface ScheduleWorld {
  readonly schedule: VMBackupSchedule;
  /** VirtualMachines of the schedule's namespace. */
  readonly vms: readonly {
    readonly metadata: {
      readonly name: string;
      readonly labels?: Readonly<Record<string, string>> | undefined;
    };
    /** Nobody uses its disks. */
    readonly isStopped?: boolean;
  }[];
  /** VMBackups that this schedule made. */
  readonly children: readonly VMBackup[];
}

export type ScheduleDecision =
  /** It cannot be understood: a person must change it. */
  | { readonly kind: 'Invalid'; readonly why: Why }
  | {
      readonly kind: 'Scheduled';
      /** What is due now; undefined if nothing is. */
      readonly run: Run | undefined;
      /** The token that this run answers; undefined if it answers none. */
      readonly token: string | undefined;
      /** What the schedule means, for people. */
      readonly effective: string;
      /** The next slot, in milliseconds since the epoch; undefined while suspended. */
      readonly next: number | undefined;
      /** Slots that passed without a run before this one. */
      readonly missed: number;
      readonly matched: readonly string[];
      /** Names under `vmNames` that no VM bears. */
      readonly missing: readonly string[];
    };

/** The whole rule for one VMBackupSchedule. `now` in milliseconds since the epoch. */
export function decideSchedule(world: ScheduleWorld, now: number): ScheduleDecision {
  const { metadata, spec, status } = world.schedule;
  const cron = effectiveSchedule(spec.schedule, metadata.uid);
  const parsed = parseSchedule(cron, spec.timeZone);
  if (parsed.kind === 'Invalid') return { kind: 'Invalid', why: parsed };
  if (parsed.slots.nextAfter(now) === undefined) return { kind: 'Invalid', why: neverRuns(spec.schedule) };
  const question: DueQuestion = {
    slots: parsed.slots,
    createdAt: time(metadata.creationTimestamp) ?? now,
    lastSlot: time(status?.lastScheduleTime),
    immediate: spec.immediate,
    suspend: spec.suspend,
    startingDeadlineMs: spec.startingDeadlineSeconds * 1000,
    spreadMs: spec.spreadSeconds * 1000,
    resumedAt: resumedAt(world.schedule, now),
  };
  const { found, missing } = chooseVms(spec, world.vms);
  const token = newToken(world.schedule);
  const due = dueSlot(question, now);
  const { next } = due;
  const open = openRun(world.schedule, question, { token, due }, now);
  const missed = open !== undefined && open.slot === due.slot ? due.missed : 0;
  const run =
    open &&
    stepOf(
      open,
      {
        ...{ scheduleName: metadata.name, scheduleUid: metadata.uid, vms: found, children: world.children },
        stopped: leftOutWhenStopped(world),
        startingDeadlineMs: question.startingDeadlineMs,
      },
      now,
    );
  const effective = tellEffective(cron, spec);
  return { kind: 'Scheduled', run, token, effective, next, missed, matched: found, missing };
}

/** Since when the schedule is suspended no longer; undefined if it never was. */
export function resumedAt({ spec, status }: VMBackupSchedule, now: number): number | undefined {
  const wasSuspended = status?.conditions?.some(({ reason }) => reason === 'Suspended') ?? false;
  return wasSuspended && !spec.suspend ? now : time(status?.resumedAt);
}

/**
 * The run to be taken on now. A token goes before everything, and even while suspended: a person wants a backup of all VMs now, and
 * what is left of another run is in that. Then a slot that is due; then what is left of a run, which a suspension stops.
 */
function openRun(
  { metadata, spec, status }: VMBackupSchedule,
  question: DueQuestion,
  { token, due }: { readonly token: string | undefined; readonly due: Due },
  now: number,
): OpenRun | undefined {
  if (token !== undefined) {
    const id = manualRunId(token, metadata.generation ?? 0);
    return { id, slot: now, isManual: true, begins: true, spreadMs: 0, upTo: undefined };
  }
  const left = status?.run;
  if (left?.manual) return goOn(question, left, now);
  if (due.slot !== undefined) {
    const spreadMs = spreadOf(question, due.slot);
    const id = slotRunId(due.slot);
    return { id, slot: due.slot, isManual: false, begins: true, spreadMs, upTo: undefined };
  }
  return spec.suspend ? undefined : goOn(question, left, now);
}

function goOn(question: DueQuestion, left: ScheduleRun | undefined, now: number): OpenRun | undefined {
  if (left === undefined) return undefined;
  const slot = time(left.slot) ?? now;
  const isManual = left.manual ?? false;
  const spreadMs = isManual ? 0 : spreadOf(question, slot);
  return { id: left.id, slot, isManual, begins: false, spreadMs, upTo: left.upTo };
}

/** The token that was not answered yet. */
function newToken({ spec, status }: VMBackupSchedule): string | undefined {
  const token = spec.trigger?.manual;
  return token === status?.lastManualTrigger ? undefined : token;
}

function tellEffective(cron: string, { timeZone, spreadSeconds }: VMBackupSchedule['spec']): string {
  const spread = spreadSeconds > 0 ? `, each VM at its own time within ${spreadSeconds} s after` : '';
  return `${cron} (${timeZone})${spread}`;
}

function time(text: string | undefined): number | undefined {
  const milliseconds = Date.parse(text ?? '');
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}

function leftOutWhenStopped({ schedule, vms }: ScheduleWorld): ReadonlySet<string> {
  if (schedule.spec.template.whenStopped !== 'Skip') return new Set();
  return new Set(vms.filter(({ isStopped }) => isStopped).map(({ metadata }) => metadata.name));
}
