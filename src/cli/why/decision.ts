import type { ExecutedDisk, Execution, Plan, PlannedDisk, VMBackup } from '../../crds/vmbackup.ts';
import { humanSize } from '../../domain/columns.ts';
import { tellExecutor } from '../../domain/executor.ts';
import { currentExecution, hasSucceeded, outcomeOf } from '../../domain/outcome.ts';
import { inWords } from './reasons.ts';
import type { Section } from './section.ts';

/** Why the backup is full or incremental, disk by disk, and what the agent found otherwise. */
export function decisionSections({ metadata, status }: VMBackup): readonly Section[] {
  const plan = status?.plan;
  if (plan === undefined) {
    return [
      { title: 'Full or incremental', lines: ['Not decided yet: the conditions say what it waits for.'] },
    ];
  }
  const execution = currentExecution(plan, status?.execution);
  return [
    { title: 'Full or incremental', lines: typeLines(plan, execution, metadata.uid) },
    { title: 'Disks', lines: plan.disks.flatMap((disk) => diskLines(disk, executed(execution, disk))) },
    { title: 'Fallback', lines: fallbackLines(plan, execution) },
  ];
}

function typeLines(plan: Plan, execution: Execution | undefined, uid: string): readonly string[] {
  const isDone = execution !== undefined && hasSucceeded(execution);
  const { type, typeReason, chain } = isDone
    ? outcomeOf(plan, execution, uid)
    : { type: plan.type, typeReason: plan.reason, chain: plan.chain };
  const place =
    chain.position === 0
      ? `It begins chain ${chain.id}.`
      : `It is number ${chain.position} after the full backup of chain ${chain.id}.`;
  const parent = plan.parent && type === 'Incremental';
  return [
    `${isDone ? '' : 'Planned: '}${type} (${typeReason}), position ${chain.position}. ${place}`,
    plan.type === type ? plan.message : `Planned was ${plan.type} (${plan.reason}): ${plan.message}`,
    ...(parent && plan.parent
      ? [`Builds on VMBackup ${plan.parent.name}; bitmap ${plan.parent.bitmap} tells what changed since.`]
      : []),
    `Decided for attempt ${plan.attempt}, carried out by ${tellExecutor(plan).replace(/^The /, 'the ')}${earlierFailures(plan)}.`,
  ];
}

function earlierFailures({ failedAttempts = 0 }: Plan): string {
  if (failedAttempts === 0) return '';
  return `, after ${failedAttempts} failed ${failedAttempts === 1 ? 'attempt' : 'attempts'}`;
}

function executed(execution: Execution | undefined, { volume }: PlannedDisk): ExecutedDisk | undefined {
  return execution?.disks?.find((disk) => disk.volume === volume);
}

function diskLines(planned: PlannedDisk, taken: ExecutedDisk | undefined): readonly string[] {
  const { volume, type, reason } = taken ?? planned;
  const differs = taken !== undefined && taken.type !== planned.type;
  const instead = differs ? ` (planned was ${planned.type}: ${planned.reason})` : '';
  const detail = taken && detailOf(taken);
  return [`${volume}: ${type}, ${inWords(reason)}${instead}`, ...(detail ? [`  ${detail}`] : [])];
}

function detailOf({ sizeBytes, dataBytes, zeroBytes, storedBytes, tracked }: ExecutedDisk): string {
  const figures = [
    sizeBytes === undefined ? [] : [`disk of ${humanSize(sizeBytes)}`],
    dataBytes === undefined ? [] : [`${humanSize(dataBytes)} of data`],
    zeroBytes === undefined ? [] : [`${humanSize(zeroBytes)} of zeros`],
    storedBytes === undefined ? [] : [`${humanSize(storedBytes)} stored`],
  ].flat();
  const next = tracked
    ? 'the next backup of it can be incremental'
    : 'it has no bitmap, so the next backup of it is full';
  return [...figures, next].join(', ');
}

function fallbackLines(plan: Plan, execution: Execution | undefined): readonly string[] {
  if (plan.type === 'Full') return ['None: a full backup needs no parent.'];
  const fallback = execution?.incrementalFallback;
  if (fallback === undefined) {
    return [
      execution === undefined ? 'Not known yet: the agent has not begun.' : 'None: the parent was usable.',
    ];
  }
  return [`${fallback.reason}: ${fallback.message}`, `Disks: ${fallback.disks.join(', ')}`];
}
