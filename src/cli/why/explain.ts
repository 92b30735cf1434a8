import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { humanSize, secondsOf, storedBytes } from '../../domain/columns.ts';
import { tellExecutor } from '../../domain/executor.ts';
import { gaveWay } from '../../domain/gave-way.ts';
import { SCHEDULE_LABEL } from '../../domain/labels.ts';
import { type Standing, standingOf } from '../../domain/standing.ts';
import { ago } from '../screen/span.ts';
import { dataSections } from './data.ts';
import { decisionSections } from './decision.ts';
import { quiesceLine } from './quiesce.ts';
import type { Section } from './section.ts';

/**
 * Every decision about one backup, in words.
 * @param repository undefined if it is gone, or the user may not see it
 * @param now milliseconds since the epoch
 */
export function explain(
  backup: VMBackup,
  repository: VMBackupRepository | undefined,
  now: number,
): readonly Section[] {
  const { metadata, spec } = backup;
  const schedule = metadata.labels?.[SCHEDULE_LABEL];
  const maker = schedule === undefined ? 'Asked for by hand' : `Made by VMBackupSchedule ${schedule}`;
  const created = metadata.creationTimestamp;
  return [
    {
      title: `VMBackup ${metadata.namespace ?? ''}/${metadata.name}`,
      lines: [
        `Of VirtualMachine ${spec.vmName}, into repository ${spec.repository}.`,
        `${maker}${created === undefined ? '' : `, ${ago(created, now)}`}.`,
        ...standingLines(standingOf(backup), now),
      ],
    },
    ...decisionSections(backup),
    { title: 'Quiesce', lines: [quiesceLine(backup)] },
    { title: 'Conditions', lines: conditionLines(backup) },
    ...dataSections(backup, repository),
  ];
}

function standingLines(standing: Standing, now: number): readonly string[] {
  switch (standing.kind) {
    case 'New':
      return ['It has not been planned yet.'];
    case 'Assigned':
      return [`${tellExecutor(standing.plan)} has not begun.`];
    case 'Running': {
      const { agent, startedAt, progress } = standing.execution;
      const done = progress === undefined ? '' : `, ${progress.percent}% done`;
      return [`Running on node ${agent}, begun ${ago(startedAt, now)}${done}.`];
    }
    case 'AttemptFailed':
      return [
        `Attempt ${standing.plan.attempt} ${gaveWay(standing.why.reason) ? 'gave way' : 'failed'} and is tried again: ${standing.why.reason}: ${standing.why.message}`,
      ];
    case 'Succeeded': {
      const { execution } = standing;
      const [bytes, seconds] = [storedBytes(execution), secondsOf(execution)];
      const size = bytes === undefined ? '' : `, ${humanSize(bytes)} stored`;
      const time = seconds === undefined ? '' : ` in ${seconds} s`;
      const point = execution.pointInTime;
      return [
        `Succeeded${time}${size}.`,
        ...(point === undefined ? [] : [`The disks as they were at ${point}, ${ago(point, now)}.`]),
      ];
    }
    case 'Failed':
      return [`Failed for good: ${standing.why.reason}: ${standing.why.message}`];
  }
}

function conditionLines({ status }: VMBackup): readonly string[] {
  const conditions = status?.conditions ?? [];
  if (conditions.length === 0) return ['None yet: the controller has not looked at it. Check that it runs.'];
  return conditions.map(
    ({ type, status, reason, message }) =>
      `${type}=${status}, ${reason}${message === '' ? '' : `: ${message}`}`,
  );
}
