import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { parseSchedule } from '../../domain/schedule/cron.ts';
import { effectiveSchedule } from '../../domain/schedule/effective.ts';
import { chooseVms } from '../../domain/selector.ts';
import type { Protection } from './vm-status.ts';

interface Vm {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
}

/**
 * Finds which schedules take which VM of one namespace. A name that a schedule lists and no VM bears is there too.
 * @param now milliseconds since the epoch
 */
export function protections(
  schedules: readonly VMBackupSchedule[],
  vms: readonly Vm[],
  now: number,
): ReadonlyMap<string, readonly Protection[]> {
  const byVm = new Map<string, Protection[]>();
  const sorted = [...schedules].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const schedule of sorted) {
    if (schedule.metadata.deletionTimestamp !== undefined) continue;
    const protection = protectionOf(schedule, now);
    const { found, missing } = chooseVms(schedule.spec, vms);
    for (const vm of [...found, ...missing]) byVm.set(vm, [...(byVm.get(vm) ?? []), protection]);
  }
  return byVm;
}

function protectionOf({ metadata, spec }: VMBackupSchedule, now: number): Protection {
  const schedule = metadata.name;
  const parsed = parseSchedule(effectiveSchedule(spec.schedule, metadata.uid), spec.timeZone);
  const next = parsed.kind === 'Schedule' ? parsed.slots.nextAfter(now) : undefined;
  if (next === undefined) return { schedule, state: 'Invalid' };
  if (spec.suspend) return { schedule, state: 'Suspended' };
  return { schedule, state: 'Active', nextRun: new Date(next).toISOString() };
}
