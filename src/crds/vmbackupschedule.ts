import { z } from 'zod';
import {
  API_VERSION,
  cel,
  kindOf,
  listAtomic,
  listMap,
  listSet,
  ObjectMeta,
  ObjectName,
  Reason,
  Time,
} from './api.ts';
import { BackupSettings } from './backup-settings.ts';
import { Conditions } from './conditions.ts';
import { RetentionSpec, RetentionStatus } from './retention.ts';

const LabelSelector = z
  .object({
    matchLabels: z
      .record(z.string().max(316), z.string().max(63))
      .meta({ maxProperties: 32 })
      .optional()
      .describe('Labels that a VM must have.'),
    matchExpressions: z
      .array(
        z.object({
          key: z.string().max(316).describe('The label.'),
          operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']).describe('How it is compared.'),
          values: z.array(z.string().max(63)).max(64).meta(listAtomic).optional().describe('With what.'),
        }),
      )
      .max(32)
      .meta(listAtomic)
      .optional()
      .describe('Conditions on labels; all must hold.'),
  })
  .meta(
    cel({
      rule: '(has(self.matchLabels) && size(self.matchLabels) > 0) || (has(self.matchExpressions) && size(self.matchExpressions) > 0)',
      message:
        'an empty vmSelector is refused, lest it take every VM by accident: set matchLabels or matchExpressions, or list vmNames',
    }),
  );
export type LabelSelector = z.infer<typeof LabelSelector>;

export const VMBackupScheduleSpec = z
  .object({
    schedule: z
      .string()
      .min(1)
      .max(128)
      .meta(
        cel(
          {
            rule: "!self.matches('^[^ ]+( [^ ]+){5}$')",
            message:
              "schedule has six fields: there is none for seconds here, write five (for example '0 2 * * *' for 02:00 each day)",
          },
          {
            rule: "self.matches('^@(hourly|daily|weekly|monthly|yearly)(-random)?$') || self.matches('^@(annually|midnight)$') || self.matches('^[^ ]+( [^ ]+){4,5}$')",
            message:
              "schedule takes five fields, minute hour day-of-month month day-of-week (for example '0 2 * * *'), or @hourly, @daily, @weekly, @monthly, @yearly, or one of these with -random",
          },
        ),
      )
      .describe(
        'When, as five-field cron. @daily-random and its like choose a slot by the UID of the schedule: status.effectiveSchedule says which.',
      ),
    timeZone: z
      .string()
      .min(1)
      .max(64)
      .default('UTC')
      .describe("The time zone of the schedule, by its IANA name, for example 'Europe/Berlin'."),
    suspend: z.boolean().default(false).describe('No new backups while true.'),
    immediate: z
      .boolean()
      .default(false)
      .describe('Also take a backup at once when the schedule is created.'),
    concurrencyPolicy: z
      .enum(['Forbid'])
      .default('Forbid')
      .describe('A VM whose last backup from this schedule still runs is left out of the next run.'),
    startingDeadlineSeconds: z
      .int()
      .min(10)
      .max(604_800)
      .default(600)
      .describe('A run that was missed is caught up with for this long, once; later it is skipped.'),
    spreadSeconds: z
      .int()
      .min(0)
      .max(86_400)
      .default(0)
      .describe(
        'Each VM begins so much later than the slot at most, always at the same distance: hundreds of VMs do not begin at once. Never longer than the time to the next slot.',
      ),
    trigger: z
      .object({
        manual: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .describe(
            'Another value than before makes a run now, also while suspended; status.lastManualTrigger says when that was done.',
          ),
      })
      .optional()
      .describe('To make a run now.'),
    successfulBackupsHistoryLimit: z
      .int()
      .min(1)
      .max(10_000)
      .optional()
      .describe(
        'How many VMBackup objects of good backups stay for each VM; all of them when left out. Only objects are removed, never data, and never what the next backup needs. With retention it counts for nothing: retention needs the objects.',
      ),
    failedBackupsHistoryLimit: z
      .int()
      .min(1)
      .max(10_000)
      .default(3)
      .describe('How many VMBackup objects of failed backups stay for each VM.'),
    vmNames: z
      .array(z.string().min(1).max(63))
      .min(1)
      .max(256)
      .meta(listSet)
      .optional()
      .describe('The VirtualMachines, by name.'),
    vmSelector: LabelSelector.optional().describe('The VirtualMachines, by label.'),
    template: BackupSettings.describe('How each VM is backed up.'),
    retention: RetentionSpec.optional().describe(
      'Which good backups of this schedule are kept; all of them when left out. The data of the others is removed from the repository.',
    ),
  })
  .meta(
    cel({
      rule: 'has(self.vmNames) != has(self.vmSelector)',
      message: 'say which VMs: set either vmNames or vmSelector, not both and not neither',
    }),
  );
export type VMBackupScheduleSpec = z.infer<typeof VMBackupScheduleSpec>;

const ScheduleRun = z.object({
  id: z.string().max(64).describe('Stands in the names of its backups.'),
  slot: Time.describe('Its slot.'),
  manual: z.boolean().optional().describe('Whether it was asked for by spec.trigger.manual.'),
  upTo: z
    .object({
      offsetSeconds: z.int().min(0).describe('Its distance from the slot.'),
      vmName: z.string().max(63).describe('Its name.'),
    })
    .optional()
    .describe('The VM up to which the run has come, in order of their distances from the slot.'),
});
export type ScheduleRun = z.infer<typeof ScheduleRun>;

const ScheduledVm = z.object({
  name: z.string().max(63).describe('Name of the VirtualMachine.'),
  lastSuccessfulTime: Time.optional().describe('When a backup of this schedule last succeeded.'),
  lastFailure: Reason.optional().describe('Why the newest backup failed; not there if it was good.'),
});
export type ScheduledVm = z.infer<typeof ScheduledVm>;

export const VMBackupScheduleStatus = z.object({
  observedGeneration: z.int().optional().describe('The generation that the controller has seen.'),
  conditions: Conditions.optional(),
  effectiveSchedule: z
    .string()
    .max(256)
    .optional()
    .describe('What the schedule means: @daily-random as cron, the time zone, and the spread.'),
  run: ScheduleRun.optional().describe(
    'The run that is under way: not all of its VMs have their backup yet.',
  ),
  lastManualTrigger: z.string().max(64).optional().describe('The token of the last run by hand.'),
  resumedAt: Time.optional().describe(
    'When it was last suspended no longer: slots before do not count as missed.',
  ),
  vms: z
    .array(ScheduledVm)
    .max(100)
    .meta(listMap('name'))
    .optional()
    .describe('The VMs, those whose last success is the oldest first (at most 100).'),
  lastScheduleTime: Time.optional().describe('The slot of the last run.'),
  nextScheduleTime: Time.optional().describe('The slot of the next run.'),
  lastSuccessfulTime: Time.optional().describe('When a backup of this schedule last succeeded.'),
  matchedVMs: z.int().min(0).optional().describe('How many VMs the schedule takes now.'),
  active: z
    .array(ObjectName)
    .max(32)
    .meta(listAtomic)
    .optional()
    .describe('Backups of this schedule that run now (the first 32).'),
  missedRuns: z
    .int()
    .min(0)
    .optional()
    .describe('Slots that passed without a run, since the schedule was made.'),
  retention: RetentionStatus.optional().describe('What retention keeps and removes, and why.'),
});
export type VMBackupScheduleStatus = z.infer<typeof VMBackupScheduleStatus>;

/** Backs up a set of VMs again and again. */
export const VMBackupSchedule = z.object({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal('VMBackupSchedule').optional(),
  metadata: ObjectMeta,
  spec: VMBackupScheduleSpec.describe('Which VMs, when, and how.'),
  status: VMBackupScheduleStatus.optional().describe('Last and next runs.'),
});
export type VMBackupSchedule = z.infer<typeof VMBackupSchedule>;

export const vmBackupSchedules = kindOf(
  { apiVersion: API_VERSION, kind: 'VMBackupSchedule', plural: 'vmbackupschedules', namespaced: true },
  VMBackupSchedule,
);
