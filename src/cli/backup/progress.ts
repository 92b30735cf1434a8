import type { VMBackup } from '../../crds/vmbackup.ts';
import { tellExecutor } from '../../domain/executor.ts';
import { gaveWay } from '../../domain/gave-way.ts';
import { standingOf } from '../../domain/standing.ts';
import { barOf } from '../screen/bar.ts';
import type { Styled } from '../screen/style.ts';

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
        text: `${standing.plan.type} (${standing.plan.reason}), waits for ${tellExecutor(standing.plan).replace(/^The /, 'the ')}`,
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
