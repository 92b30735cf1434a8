import type { VMBackup } from '../../crds/vmbackup.ts';
import type { ScheduledVm } from '../../crds/vmbackupschedule.ts';
import { standingOf } from '../../domain/standing.ts';
import { later } from './later.ts';

/** The API keeps so many. */
const VMS_LIMIT = 100;

/**
 * How each VM of a schedule fares, from the backups that the schedule made, and from what was known before of those whose objects
 * are gone. Sorted so that what should worry comes first: never backed up, then the oldest success.
 */
export function scheduledVms(
  matched: readonly string[],
  children: readonly VMBackup[],
  before: readonly ScheduledVm[],
): readonly ScheduledVm[] {
  const known = new Map(before.map((vm) => [vm.name, vm]));
  const byVm = Map.groupBy(children, ({ spec }) => spec.vmName);
  return matched
    .map((name) => vmOf(name, byVm.get(name) ?? [], known.get(name)))
    .sort((a, b) => timeOf(a) - timeOf(b) || (a.name < b.name ? -1 : 1));
}

/** As many of them as a status can hold. */
export function firstVms(vms: readonly ScheduledVm[]): ScheduledVm[] {
  return vms.slice(0, VMS_LIMIT);
}

function vmOf(name: string, children: readonly VMBackup[], before: ScheduledVm | undefined): ScheduledVm {
  let lastSuccessfulTime = before?.lastSuccessfulTime;
  let newest: { readonly createdAt: string; readonly failure: string | undefined } | undefined;
  for (const child of children) {
    const standing = standingOf(child);
    if (standing.kind === 'Succeeded')
      lastSuccessfulTime = later(lastSuccessfulTime, standing.execution.completedAt);
    else if (standing.kind !== 'Failed') continue;
    const createdAt = child.metadata.creationTimestamp ?? '';
    if (newest !== undefined && newest.createdAt > createdAt) continue;
    newest = { createdAt, failure: standing.kind === 'Failed' ? standing.why.reason : undefined };
  }
  const lastFailure = newest === undefined ? before?.lastFailure : newest.failure;
  return {
    name,
    ...(lastSuccessfulTime !== undefined && { lastSuccessfulTime }),
    ...(lastFailure !== undefined && { lastFailure }),
  };
}

function timeOf({ lastSuccessfulTime }: ScheduledVm): number {
  return Date.parse(lastSuccessfulTime ?? '') || 0;
}
