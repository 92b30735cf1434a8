import type { ObservedDisk } from './disk-decision.ts';
import type { InspectResult } from './mover-report.ts';

/** What the mover's look at a parent directory means for one volume. */
export function parentData(
  found: InspectResult | undefined,
  volume: string,
  id: string,
): ObservedDisk['parentData'] {
  if (found === undefined) return 'unknown';
  if (found.backup === null)
    return found.reason === 'ParentDataMissing' || found.reason === null ? 'missing' : 'damaged';
  if (found.backup.id !== id) return 'damaged';
  const record = found.volumes.find(({ name }) => name === volume);
  if (record === undefined) return 'missing';
  if (record.reason === null) return 'good';
  return record.reason === 'ParentDataMissing' ? 'missing' : 'damaged';
}
