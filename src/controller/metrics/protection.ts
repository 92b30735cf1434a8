import type { VirtualMachine } from '../../crds/kubevirt.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { labelValue, SCHEDULE_LABEL } from '../../domain/labels.ts';
import { parseSchedule } from '../../domain/schedule/cron.ts';
import { effectiveSchedule } from '../../domain/schedule/effective.ts';
import { longestIntervalMs } from '../../domain/schedule/interval.ts';
import { chooseVms } from '../../domain/selector.ts';
import { standingOf } from '../../domain/standing.ts';
import { isStopped } from '../../domain/world.ts';
import type { Family, Row } from '../../kube/metrics/family.ts';
import type { Caches } from '../caches.ts';

/** How well each VM is protected by each schedule: what "no good backup in time" is computed from. */
export function protectionFamilies(
  { backups, schedules, views, vmis }: Caches,
  now: () => number,
): readonly Family[] {
  const labelNames = ['namespace', 'vm', 'schedule'];
  return [
    {
      name: 'tidemark_vm_last_good_backup_timestamp_seconds',
      help: 'The point in time of the newest good backup of a VM, by the schedule that made it ("" = by hand).',
      labelNames,
      rows: () => lastGoodRows(backups.list(), schedules.list()),
    },
    {
      name: 'tidemark_vm_protected_since_timestamp_seconds',
      help: 'Since when a schedule takes this VM: the younger of the two. None while the VM is stopped and the schedule skips it then.',
      labelNames,
      rows: () =>
        schedules
          .list()
          .flatMap((schedule) =>
            sinceRows(schedule, views.vmsIn(schedule.metadata.namespace ?? ''), (vm) =>
              isStopped({ vm, vmi: vmis.get(vm.metadata) }),
            ),
          ),
    },
    {
      name: 'tidemark_schedule_interval_seconds',
      help: 'The longest time between two slots of a schedule; none while it is suspended.',
      labelNames: ['namespace', 'schedule'],
      rows: () => schedules.list().flatMap((schedule) => intervalRows(schedule, now())),
    },
    {
      name: 'tidemark_schedule_missed_runs',
      help: 'Slots that passed without a run, since the schedule was made.',
      labelNames: ['namespace', 'schedule'],
      rows: () => statusRows(schedules.list(), ({ missedRuns }) => missedRuns ?? 0),
    },
    {
      name: 'tidemark_schedule_vms',
      help: 'How many VMs a schedule takes.',
      labelNames: ['namespace', 'schedule'],
      rows: () => statusRows(schedules.list(), ({ matchedVMs }) => matchedVMs ?? 0),
    },
  ];
}

/** When the guest was as the backup has it, in seconds. */
export function pointInTimeSeconds(backup: VMBackup): number | undefined {
  const standing = standingOf(backup);
  if (standing.kind !== 'Succeeded') return undefined;
  return Date.parse(standing.execution.pointInTime ?? standing.execution.startedAt) / 1000;
}

/** One row for each VM and schedule; the label of a long name is cut, so the schedules tell the names. */
export function lastGoodRows(
  backups: readonly VMBackup[],
  schedules: readonly VMBackupSchedule[],
): readonly Row[] {
  const names = new Map(
    schedules.map(({ metadata }) => [`${metadata.namespace}/${labelValue(metadata.name)}`, metadata.name]),
  );
  const newest = new Map<string, Row>();
  for (const backup of backups) {
    const value = pointInTimeSeconds(backup);
    if (value === undefined) continue;
    const { namespace = '', labels } = backup.metadata;
    const label = labels?.[SCHEDULE_LABEL];
    // A schedule that is gone leaves its backups as if they were taken by hand.
    const schedule = label === undefined ? '' : (names.get(`${namespace}/${label}`) ?? '');
    const key = [namespace, backup.spec.vmName, schedule].join('/');
    if ((newest.get(key)?.value ?? -1) >= value) continue;
    newest.set(key, { labels: { namespace, vm: backup.spec.vmName, schedule }, value });
  }
  return [...newest.values()];
}

/** @param isStopped whether a VM does not run */
export function sinceRows(
  { metadata, spec }: VMBackupSchedule,
  vms: readonly VirtualMachine[],
  isStopped: (vm: VirtualMachine) => boolean,
): readonly Row[] {
  const { namespace = '', name } = metadata;
  const created = new Map(vms.map((vm) => [vm.metadata.name, secondsOf(vm.metadata.creationTimestamp)]));
  const taken = spec.template.whenStopped === 'Skip' ? vms.filter((vm) => !isStopped(vm)) : vms;
  return chooseVms(spec, taken).found.map((vm) => ({
    labels: { namespace, vm, schedule: name },
    value: Math.max(secondsOf(metadata.creationTimestamp), created.get(vm) ?? 0),
  }));
}

/** Computed once for each version of a schedule: what the cache has is frozen. */
const intervals = new WeakMap<VMBackupSchedule, number | undefined>();

function intervalRows(schedule: VMBackupSchedule, now: number): readonly Row[] {
  const { metadata, spec } = schedule;
  if (spec.suspend) return [];
  if (!intervals.has(schedule)) {
    const parsed = parseSchedule(effectiveSchedule(spec.schedule, metadata.uid), spec.timeZone);
    intervals.set(schedule, parsed.kind === 'Schedule' ? longestIntervalMs(parsed.slots, now) : undefined);
  }
  const longest = intervals.get(schedule);
  if (longest === undefined) return [];
  return [
    { labels: { namespace: metadata.namespace ?? '', schedule: metadata.name }, value: longest / 1000 },
  ];
}

function statusRows(
  schedules: readonly VMBackupSchedule[],
  value: (status: NonNullable<VMBackupSchedule['status']>) => number,
): readonly Row[] {
  return schedules.map(({ metadata, status = {} }) => ({
    labels: { namespace: metadata.namespace ?? '', schedule: metadata.name },
    value: value(status),
  }));
}

function secondsOf(time: string | undefined): number {
  return time === undefined ? 0 : Date.parse(time) / 1000;
}
