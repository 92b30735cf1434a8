import { z } from 'zod';
import { cel, listSet, ObjectName, VolumeName } from './api.ts';
import { Compression } from './compression.ts';
import { Window } from './window.ts';

const VolumeChoice = z
  .object({
    include: z
      .array(VolumeName)
      .min(1)
      .max(64)
      .meta(listSet)
      .optional()
      .describe('Back up these volumes only.'),
    exclude: z
      .array(VolumeName)
      .min(1)
      .max(64)
      .meta(listSet)
      .optional()
      .describe('Back up all volumes but these.'),
  })
  .meta(
    cel({
      rule: 'has(self.include) != has(self.exclude)',
      message: 'set either volumes.include or volumes.exclude, not both and not neither',
    }),
  );

/** What becomes of the data when the object is deleted. */
export const DeletionPolicy = z.enum(['Retain', 'Delete']);
export type DeletionPolicy = z.infer<typeof DeletionPolicy>;

/** How one VM is backed up: what a `VMBackup` and the template of a `VMBackupSchedule` have in common. */
export const BackupSettings = z.object({
  repository: ObjectName.describe('Name of the VMBackupRepository that takes the data.'),
  fullEvery: z
    .int()
    .min(1)
    .max(1000)
    .default(10)
    .describe('Begin a new chain with a full backup when the chain has this many backups; 1 = always full.'),
  quiesce: z
    .enum(['IfAvailable', 'Required', 'Never'])
    .default('IfAvailable')
    .describe(
      'Freeze the file systems through the guest agent for the instant at which the backup begins: when an agent answers, always (the backup fails otherwise), or never.',
    ),
  volumes: VolumeChoice.optional().describe('Which volumes; all of them when left out.'),
  compression: Compression.optional().describe(
    'How the data is stored; as it is when left out. May differ between the backups of a chain. It takes processor time where the copy runs.',
  ),
  whenStopped: z
    .enum(['Backup', 'Skip'])
    .default('Backup')
    .describe(
      'What becomes of a VM that does not run. Backup: a Job reads its disks. Skip: a schedule leaves it out, and a VMBackup waits until it runs.',
    ),
  backoffLimit: z.int().min(0).max(20).default(3).describe('How often a failed attempt is tried again.'),
  startDeadlineSeconds: z
    .int()
    .min(10)
    .max(604_800)
    .default(3600)
    .describe(
      'How long a backup that cannot begin (VM stopped, repository away) waits before it fails. To wait for its turn or its window costs nothing of it.',
    ),
  priority: z
    .int()
    .min(-10)
    .max(10)
    .default(0)
    .describe(
      'Whose turn it is when backups wait for a slot: each step counts as a quarter of an hour of waiting, so nobody waits for ever.',
    ),
  window: Window.optional().describe(
    'When a backup may begin; at any time when left out. One that runs when the window closes runs on to its end.',
  ),
  deletionPolicy: DeletionPolicy.optional().describe(
    'What becomes of the data in the repository when the VMBackup is deleted. Retain, the default: it stays, and can be imported again. Delete: it is removed, once nothing stands on it. A deleted namespace removes no data, whatever this says.',
  ),
  tags: z
    .array(z.string().min(1).max(63))
    .max(16)
    .meta(listSet)
    .optional()
    .describe('Words by which retention can keep it, see keepTags of a VMBackupSchedule.'),
});
export type BackupSettings = z.infer<typeof BackupSettings>;
