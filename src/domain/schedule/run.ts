import type { VMBackup } from '../../crds/vmbackup.ts';
import type { ScheduleRun } from '../../crds/vmbackupschedule.ts';
import { isScheduledFor } from '../labels.ts';
import { isOver, standingOf } from '../standing.ts';
import { offsetSeconds } from './effective.ts';
import { runName } from './run-name.ts';

/** So many backups are made in one go at most; the rest follows in the next ones, so a large run holds up nobody for long. */
export const MOST_AT_ONCE = 50;

/** A run as it was found or as it begins, before anything is done. Times in milliseconds since the epoch. */
export interface OpenRun {
  readonly id: string;
  readonly slot: number;
  readonly isManual: boolean;
  readonly begins: boolean;
  readonly spreadMs: number;
  readonly upTo: ScheduleRun['upTo'];
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

/** What is to be done for a run now. */
export interface Run {
  /** Milliseconds since the epoch. */
  readonly slot: number;
  readonly isManual: boolean;
  /** Whether it begins now; else it goes on. */
  readonly begins: boolean;
  readonly children: readonly PlannedChild[];
  readonly leftOut: readonly LeftOut[];
  /** VMs that this run leaves out, because they do not run and the schedule wants it so. */
  readonly stopped: readonly string[];
  /** VMs whose time had passed by more than the deadline before anyone looked. */
  readonly tooLate: readonly string[];
  /** What is to be recorded; undefined when the run is over. */
  readonly rest: ScheduleRun | undefined;
  /** When to look again: the time of the next VM. Undefined when the run is over. */
  readonly nextAt: number | undefined;
}

export interface RunQuestion {
  readonly scheduleName: string;
  readonly scheduleUid: string;
  readonly startingDeadlineMs: number;
  readonly vms: readonly string[];
  /** Of these, those that are to be left out because they do not run. */
  readonly stopped: ReadonlySet<string>;
  /** VMBackups that this schedule made. */
  readonly children: readonly VMBackup[];
}

interface Member {
  readonly vmName: string;
  readonly offset: number;
}

/**
 * Takes a run a step on: the VMs whose time has come, at most {@link MOST_AT_ONCE} of them. They come in the order of their
 * distances from the slot, so where the run stands is one VM's name; a VM that appears behind that place waits for the next run.
 */
export function stepOf(open: OpenRun, question: RunQuestion, now: number): Run {
  const members = membersOf(open, question);
  const children: PlannedChild[] = [];
  const leftOut: LeftOut[] = [];
  const tooLate: string[] = [];
  const stopped: string[] = [];
  let upTo = open.upTo;
  let at = 0;
  for (; at < members.length && children.length < MOST_AT_ONCE; at++) {
    const { vmName, offset } = members[at]!;
    const dueAt = open.slot + offset * 1000;
    if (dueAt > now) break;
    upTo = { offsetSeconds: offset, vmName };
    const name = runName(question.scheduleName, vmName, open.id);
    const running = question.children.find((child) => stillRuns(child, question.scheduleName, vmName));
    if (!open.isManual && now - dueAt > question.startingDeadlineMs) tooLate.push(vmName);
    else if (question.stopped.has(vmName)) stopped.push(vmName);
    // A child of this very run is no reason to leave the VM out: the run was begun and is now continued.
    else if (running === undefined || running.metadata.name === name) children.push({ name, vmName });
    else leftOut.push({ vmName, running: running.metadata.name });
  }
  const next = members[at];
  return {
    ...{ slot: open.slot, isManual: open.isManual, begins: open.begins },
    ...{ children, leftOut, stopped, tooLate },
    rest: next === undefined ? undefined : recordOf(open, upTo),
    nextAt: next === undefined ? undefined : Math.max(now, open.slot + next.offset * 1000),
  };
}

function membersOf({ spreadMs, upTo }: OpenRun, { scheduleUid, vms }: RunQuestion): readonly Member[] {
  return vms
    .map((vmName) => ({ vmName, offset: offsetSeconds(scheduleUid, vmName, spreadMs / 1000) }))
    .filter((member) => upTo === undefined || isBehind(member, upTo))
    .sort((a, b) => a.offset - b.offset || (a.vmName < b.vmName ? -1 : 1));
}

function isBehind({ offset, vmName }: Member, upTo: NonNullable<ScheduleRun['upTo']>): boolean {
  return offset > upTo.offsetSeconds || (offset === upTo.offsetSeconds && vmName > upTo.vmName);
}

function recordOf({ id, slot, isManual }: OpenRun, upTo: ScheduleRun['upTo']): ScheduleRun {
  return {
    id,
    slot: new Date(slot).toISOString(),
    ...(isManual ? { manual: true } : {}),
    ...(upTo && { upTo }),
  };
}

function stillRuns(child: VMBackup, schedule: string, vmName: string): boolean {
  return isScheduledFor(child.metadata.labels, schedule, vmName) && !isOver(standingOf(child));
}
