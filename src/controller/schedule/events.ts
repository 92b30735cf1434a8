import type { LeftOut, Run, ScheduleDecision, ScheduleWorld } from '../../domain/schedule/decide-run.ts';
import { conditionOf } from '../../kube/conditions.ts';
import type { Event } from '../../kube/events.ts';
import { troubleOf } from './status.ts';

/** What is worth telling the owner of a schedule. `refused` are the names that others had taken. */
export function scheduleEvents(
  world: ScheduleWorld,
  decision: ScheduleDecision,
  refused: readonly string[],
): readonly Event[] {
  const trouble = troubleOf(world, decision);
  const before = conditionOf(world.schedule.status?.conditions, 'Ready')?.reason;
  const run = decision.kind === 'Scheduled' ? decision.run : undefined;
  return [
    ...(trouble === undefined || (trouble.reason === before && run === undefined)
      ? []
      : [warning(trouble.reason, trouble.message)]),
    ...(run === undefined ? [] : runEvents(run, refused)),
  ];
}

function runEvents(run: Run, refused: readonly string[]): readonly Event[] {
  const count = run.children.length - refused.length;
  const slot = new Date(run.slot).toISOString();
  const started: Event = {
    type: 'Normal',
    reason: 'RunStarted',
    action: 'Schedule',
    note: `The run of ${slot} has ${count} ${count === 1 ? 'backup' : 'backups'}.`,
  };
  return [
    ...(count > 0 ? [started] : []),
    ...(run.leftOut.length > 0 ? [backupStillRunning(run.leftOut)] : []),
    ...refused.map((name) =>
      warning(
        'NameTaken',
        `VMBackup '${name}' is there already and is not of this schedule: this VM is left out.`,
      ),
    ),
  ];
}

function backupStillRunning(leftOut: readonly LeftOut[]): Event {
  const names = leftOut.map(({ vmName, running }) => `${vmName} (${running})`).join(', ');
  return warning('BackupStillRunning', `Left out of this run, because the last backup still runs: ${names}.`);
}

function warning(reason: string, note: string): Event {
  return { type: 'Warning', reason, action: 'Schedule', note };
}
