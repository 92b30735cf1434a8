import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { isScheduledFor } from '../labels.ts';
import { chooseVms } from '../selector.ts';
import { isOver, standingOf } from '../standing.ts';
import type { Why } from '../why.ts';
import { neverRuns, parseSchedule } from './cron.ts';
import { type Due, dueSlot } from './due.ts';
import { runName } from './run-name.ts';

/** All that the decision on one schedule looks at. */
export interface ScheduleWorld {
  readonly schedule: VMBackupSchedule;
  /** VirtualMachines of the schedule's namespace. */
  readonly vms: readonly {
    readonly metadata: {
      readonly name: string;
      readonly labels?: Readonly<Record<string, string>> | undefined;
    };
  }[];
  /** VMBackups that this schedule made. */
  readonly children: readonly VMBackup[];
}

/** One backup to be made, if it is not there yet. */
export interface PlannedChild {
  readonly name: string;
  readonly vmName: string;
}

/** A VM that this run leaves out, because its last backup from this schedule still runs. */
export interface LeftOut {
  readonly vmName: string;
  readonly running: string;
}

export interface Run {
  /** Milliseconds since the epoch. */
  readonly slot: number;
  readonly children: readonly PlannedChild[];
  readonly leftOut: readonly LeftOut[];
}

export type ScheduleDecision =
  /** It cannot be understood: a person must change it. */
  | { readonly kind: 'Invalid'; readonly why: Why }
  | {
      readonly kind: 'Scheduled';
      /** What is due now; undefined if nothing is. */
      readonly run: Run | undefined;
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
  const { spec } = world.schedule;
  const parsed = parseSchedule(spec.schedule, spec.timeZone);
  if (parsed.kind === 'Invalid') return { kind: 'Invalid', why: parsed };
  if (parsed.slots.nextAfter(now) === undefined) return { kind: 'Invalid', why: neverRuns(spec.schedule) };
  const due = dueSlot(
    {
      slots: parsed.slots,
      createdAt: time(world.schedule.metadata.creationTimestamp) ?? now,
      lastSlot: time(world.schedule.status?.lastScheduleTime),
      immediate: spec.immediate,
      suspend: spec.suspend,
      startingDeadlineMs: spec.startingDeadlineSeconds * 1000,
    },
    now,
  );
  const { found, missing } = chooseVms(spec, world.vms);
  const { next, missed } = due;
  return { kind: 'Scheduled', run: runAt(world, due, found), next, missed, matched: found, missing };
}

function runAt(world: ScheduleWorld, { slot }: Due, vms: readonly string[]): Run | undefined {
  if (slot === undefined) return undefined;
  const schedule = world.schedule.metadata.name;
  const children: PlannedChild[] = [];
  const leftOut: LeftOut[] = [];
  for (const vmName of vms) {
    const name = runName(schedule, vmName, slot);
    const running = world.children.find((child) => stillRuns(child, schedule, vmName));
    // A child of this very run is no reason to leave the VM out: the run was begun and is now continued.
    if (running === undefined || running.metadata.name === name) children.push({ name, vmName });
    else leftOut.push({ vmName, running: running.metadata.name });
  }
  return { slot, children, leftOut };
}

function stillRuns(child: VMBackup, schedule: string, vmName: string): boolean {
  return isScheduledFor(child.metadata.labels, schedule, vmName) && !isOver(standingOf(child));
}

function time(text: string | undefined): number | undefined {
  const milliseconds = Date.parse(text ?? '');
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
