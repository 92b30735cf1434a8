import type { RetentionStatus } from '../../crds/retention.ts';
import type { RetentionDecision } from '../../domain/retention/decide-retention.ts';
import type { KeepReason } from '../../domain/retention/policy.ts';
import { clip } from '../../domain/why.ts';

/** The status lists so many of each. */
const LISTED = 20;

/** What retention says in the status of a schedule: all in numbers, some by name. */
export function retentionStatus(
  { why, keep, remove }: RetentionDecision,
  lastRemovalTime: string | undefined,
): RetentionStatus {
  const carriers = keep.filter(({ reasons }) => reasons[0]?.rule === 'CarriesOthers').length;
  return {
    reason: why.reason,
    message: clip(why.message),
    kept: keep.length - carriers,
    carriers,
    removable: remove.length,
    removableBytes: remove.reduce((sum, { bytes }) => sum + bytes, 0),
    keep: keep.slice(0, LISTED).map(({ point, reasons }) => ({
      name: point.name,
      reasons: clip(reasons.map(tell).join(', '), 512),
      bytes: point.bytes,
    })),
    remove: remove.slice(0, LISTED).map(({ name, bytes }) => ({ name, bytes })),
    ...(lastRemovalTime === undefined ? {} : { lastRemovalTime }),
  };
}

function tell({ rule, detail }: KeepReason): string {
  return detail === '' ? rule : `${rule} (${detail})`;
}
