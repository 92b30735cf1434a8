import type { VMBackupScheduleStatus } from '../../crds/vmbackupschedule.ts';
import type { ScheduleDecision, ScheduleWorld } from '../../domain/schedule/decide-run.ts';
import type { LeftOut, Run } from '../../domain/schedule/run.ts';
import { conditionOf } from '../../kube/conditions.ts';
import type { Event } from '../../kube/events.ts';
import { troubleOf } from './status.ts';

/** What is worth telling the owner of a schedule. `refused` are the names that others had taken. */
export function scheduleEvents(
  world: ScheduleWorld,
  decision: ScheduleDecision,
  refused: readonly string[],
  after: Pick<VMBackupScheduleStatus, 'conditions'>,
): readonly Event[] {
  const trouble = troubleOf(world, decision);
  const before = conditionOf(world.schedule.status?.conditions, 'Ready')?.reason;
  const run = decision.kind === 'Scheduled' ? decision.run : undefined;
  return [
    ...(trouble === undefined || (trouble.reason === before && run?.begins !== true)
      ? []
      : [warning(trouble.reason, trouble.message)]),
    ...(run === undefined
      ? []
      : runEvents(run, decision.kind === 'Scheduled' ? decision.matched.length : 0, refused)),
    ...failureEvents(world, after),
  ];
}

/** Told when other VMs fail than before. */
function failureEvents(
  { schedule }: ScheduleWorld,
  { conditions }: Pick<VMBackupScheduleStatus, 'conditions'>,
): readonly Event[] {
  const now = conditionOf(conditions, 'BackupsFailing');
  const before = conditionOf(schedule.status?.conditions, 'BackupsFailing');
  return now === undefined || now.message === before?.message ? [] : [warning(now.reason, now.message)];
}

function runEvents(run: Run, vms: number, refused: readonly string[]): readonly Event[] {
  const count = run.children.length - refused.length;
  const slot = new Date(run.slot).toISOString();
  const started: Event = {
    type: 'Normal',
    reason: 'RunStarted',
    action: 'Schedule',
    note:
      run.rest === undefined
        ? `The run of ${slot} has ${count} ${count === 1 ? 'backup' : 'backups'}.`
        : `The run of ${slot} has begun: ${count} of ${vms} VMs at once, the others follow.`,
  };
  return [
    ...(run.begins && (count > 0 || run.rest !== undefined) ? [started] : []),
    ...(run.tooLate.length > 0 ? [tooLate(run.tooLate)] : []),
    ...(run.leftOut.length > 0 ? [backupStillRunning(run.leftOut)] : []),
    ...(run.stopped.length > 0 ? [leftOutStopped(run.stopped)] : []),
    ...refused.map((name) =>
      warning(
        'NameTaken',
        `VMBackup '${name}' is there already and is not of this schedule: this VM is left out.`,
      ),
    ),
  ];
}

function tooLate(vms: readonly string[]): Event {
  const names = vms.slice(0, 10).join(', ');
  const more = vms.length > 10 ? ` and ${vms.length - 10} more` : '';
  return warning(
    'StartingDeadlineExceeded',
    `Left out of this run, because their time had passed by more than startingDeadlineSeconds: ${names}${more}.`,
  );
}

function leftOutStopped(vms: readonly string[]): Event {
  const names = vms.slice(0, 10).join(', ');
  const more = vms.length > 10 ? ` and ${vms.length - 10} more` : '';
  const note = `Left out of this run, because they do not run and whenStopped is Skip: ${names}${more}.`;
  return { type: 'Normal', reason: 'VMStopped', action: 'Schedule', note };
}

function backupStillRunning(leftOut: readonly LeftOut[]): Event {
  const names = leftOut.map(({ vmName, running }) => `${vmName} (${running})`).join(', ');
  return warning('BackupStillRunning', `Left out of this run, because the last backup still runs: ${names}.`);
}

function warning(reason: string, note: string): Event {
  return { type: 'Warning', reason, action: 'Schedule', note };
}
