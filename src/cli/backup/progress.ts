import type { VMBackup } from '../../crds/vmbackup.ts';
import { humanSize } from '../../domain/columns.ts';
import { gaveWay } from '../../domain/gave-way.ts';
import { standingOf } from '../../domain/standing.ts';
import { span } from '../screen/span.ts';
import type { Styled } from '../screen/style.ts';

const BAR_WIDTH = 24;

/** Where a backup stands, in a line: what it waits for, a bar while it copies, or how it ended. */
export function progressLine(backup: VMBackup): Styled {
  const standing = standingOf(backup);
  switch (standing.kind) {
    case 'New': {
      const waits = backup.status?.conditions?.find(({ type }) => type === 'Reconciling');
      return { text: waits === undefined ? 'waits for the controller' : `${waits.reason}: ${waits.message}` };
    }
    case 'Assigned':
      return {
        text: `${standing.plan.type} (${standing.plan.reason}), waits for the agent on ${standing.plan.nodeName}`,
      };
    case 'Running': {
      const { progress } = standing.execution;
      return { text: progress === undefined ? `Running on ${standing.execution.agent}` : barOf(progress) };
    }
    case 'AttemptFailed':
      return {
        text: `attempt ${standing.plan.attempt} ${gaveWay(standing.why.reason) ? 'gave way' : 'failed'}, ${standing.why.reason}: ${standing.why.message}`,
        tone: 'warn',
      };
    case 'Succeeded':
      return {
        text: backup.status?.conditions?.find(({ type }) => type === 'Ready')?.message ?? 'Succeeded',
        tone: 'good',
      };
    case 'Failed':
      return { text: `${standing.why.reason}: ${standing.why.message}`, tone: 'bad' };
  }
}

interface Progress {
  readonly percent: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond?: number | undefined;
}

function barOf({ percent, doneBytes, totalBytes, bytesPerSecond }: Progress): string {
  const full = Math.round((percent / 100) * BAR_WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  const amount = `${humanSize(doneBytes)} of ${humanSize(totalBytes)}`;
  if (bytesPerSecond === undefined || bytesPerSecond === 0) return `${bar} ${percent}%  ${amount}`;
  const leftMs = ((totalBytes - doneBytes) / bytesPerSecond) * 1000;
  return `${bar} ${percent}%  ${amount}, ${humanSize(bytesPerSecond)}/s, ${span(leftMs)} left`;
}
