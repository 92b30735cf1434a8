import { z } from 'zod';
import { Bytes, cel, listAtomic, listSet, Message, ObjectName, Reason, Time } from './api.ts';

const count = (what: string) => z.int().min(0).max(10_000).optional().describe(what);

/** What a schedule keeps of each VM. */
export const RetentionSpec = z
  .object({
    keepLast: count('Keep so many of the newest backups.'),
    keepHourly: count('Keep the newest backup of each of the last so many hours that have one.'),
    keepDaily: count('Keep the newest backup of each of the last so many days that have one.'),
    keepWeekly: count(
      'Keep the newest backup of each of the last so many weeks (from Monday) that have one.',
    ),
    keepMonthly: count('Keep the newest backup of each of the last so many months that have one.'),
    keepYearly: count('Keep the newest backup of each of the last so many years that have one.'),
    keepWithin: z
      .string()
      .min(2)
      .max(32)
      .meta(
        cel({
          rule: "self.matches('^([0-9]{1,4}y)?([0-9]{1,4}m)?([0-9]{1,4}w)?([0-9]{1,4}d)?([0-9]{1,5}h)?$')",
          message:
            "keepWithin takes years, months, weeks, days and hours, in this order: for example '30d' or '1y6m'",
        }),
      )
      .optional()
      .describe('Keep all backups within so long of the newest good one, such as 30d or 1y6m.'),
    keepTags: z
      .array(z.string().min(1).max(63))
      .min(1)
      .max(16)
      .meta(listSet)
      .optional()
      .describe('Keep all backups that bear one of these tags.'),
    dryRun: z
      .boolean()
      .default(false)
      .describe('Only tell, in status, what would be removed; remove nothing.'),
  })
  .meta(
    cel({
      rule: '[has(self.keepLast) && self.keepLast > 0, has(self.keepHourly) && self.keepHourly > 0, has(self.keepDaily) && self.keepDaily > 0, has(self.keepWeekly) && self.keepWeekly > 0, has(self.keepMonthly) && self.keepMonthly > 0, has(self.keepYearly) && self.keepYearly > 0, has(self.keepWithin)].exists(keeps, keeps)',
      message:
        'say what to keep: set one of keepLast, keepHourly, keepDaily, keepWeekly, keepMonthly, keepYearly to 1 or more, or keepWithin. To keep everything, leave retention out',
    }),
  );
export type RetentionSpec = z.infer<typeof RetentionSpec>;

const points = (what: string) => ({
  list: z
    .array(
      z.object({
        name: ObjectName.describe('Name of the VMBackup.'),
        reasons: z.string().max(512).optional().describe('Why it is kept.'),
        bytes: Bytes.optional().describe('Bytes it takes in the repository.'),
      }),
    )
    .max(20)
    .meta(listAtomic)
    .optional()
    .describe(`${what} (the newest 20).`),
});

export const RetentionStatus = z.object({
  reason: Reason.describe('Applied, DryRun, or why it is not applied now.'),
  message: Message.describe('The same in a sentence.'),
  kept: z.int().min(0).describe('Good backups that a rule keeps.'),
  carriers: z.int().min(0).describe('Good backups that no rule wants, kept because kept ones stand on them.'),
  removable: z.int().min(0).describe('Good backups that go, or would go.'),
  removableBytes: Bytes.describe('Bytes that go with them.'),
  keep: points('What is kept, and by which rules').list,
  remove: points('What goes, or would go').list,
  lastRemovalTime: Time.optional().describe('When retention last deleted a VMBackup.'),
});
export type RetentionStatus = z.infer<typeof RetentionStatus>;
