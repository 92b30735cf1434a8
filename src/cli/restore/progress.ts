import type { VMRestore } from '../../crds/vmrestore.ts';
import { barOf } from '../screen/bar.ts';
import type { Styled } from '../screen/style.ts';

/** Where a restore stands, in a line: what it waits for, a bar while it writes, or how it ended. */
export function restoreLine({ status }: VMRestore): Styled {
  const said = status?.conditions?.find((it) => it.status === 'True');
  if (said === undefined) return { text: 'waits for the controller' };
  if (status?.completedAt !== undefined)
    return said.type === 'Ready'
      ? { text: said.message, tone: 'good' }
      : { text: `${said.reason}: ${said.message}`, tone: 'bad' };
  if (said.reason !== 'Writing' || status?.percent === undefined || status.plan === undefined)
    return { text: `${said.reason}: ${said.message}`, ...(said.type === 'Stalled' && { tone: 'warn' }) };
  return {
    text: barOf({
      percent: status.percent,
      doneBytes: sum(status.volumes?.map(({ doneBytes }) => doneBytes ?? 0) ?? []),
      totalBytes: sum(status.plan.claims.map(({ sizeBytes }) => sizeBytes)),
      bytesPerSecond: status.bytesPerSecond,
    }),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, one) => all + one, 0);
}
