import { z } from 'zod';
import {
  API_VERSION,
  Bytes,
  cel,
  kindOf,
  listAtomic,
  listMap,
  Message,
  ObjectMeta,
  ObjectName,
  Reason,
  Time,
  VolumeName,
} from './api.ts';
import { AttemptRecord, MOST_ATTEMPT_RECORDS } from './attempt-record.ts';
import { BackupSettings } from './backup-settings.ts';
import { Conditions } from './conditions.ts';
import { Removal, Verification } from './upkeep.ts';

/** Full: stands alone. Incremental: what changed since its parent. */
export const BackupType = z.enum(['Full', 'Incremental']);
export type BackupType = z.infer<typeof BackupType>;

const vmBackupFields = {
  ...BackupSettings.shape,
  vmName: z.string().min(1).max(63).describe('Name of the VirtualMachine, in the same namespace.'),
  type: z
    .enum(['Auto', 'Full'])
    .default('Auto')
    .describe('Auto: incremental whenever that is safe. Full: a full backup, which begins a new chain.'),
  hold: z
    .boolean()
    .optional()
    .describe(
      'While true, the data is removed by nobody: not by retention, nor by the deletion of this object or of its chain. Can be changed at any time.',
    ),
  imported: z
    .object({
      cluster: z.string().min(1).max(64).describe('The id of the cluster that took it.'),
      path: z.string().min(1).max(1024).describe('Its directory in the repository.'),
      uid: z.string().min(1).max(64).describe('The UID of the VMBackup that took it.'),
    })
    .optional()
    .describe(
      'Set on an object that was made from a backup found in the repository. Tidemark fills its status from there, and takes no backup for it.',
    ),
};

/** What may be changed after creation: neither says what the backup is. */
const MUTABLE: ReadonlySet<string> = new Set(['deletionPolicy', 'hold']);

export const VMBackupSpec = z.object(vmBackupFields).meta(
  cel({
    rule: Object.keys(vmBackupFields)
      .filter((field) => !MUTABLE.has(field))
      .map(
        (field) =>
          `(has(self.${field}) ? has(oldSelf.${field}) && self.${field} == oldSelf.${field} : !has(oldSelf.${field}))`,
      )
      .join(' && '),
    message:
      'a VMBackup is the record of one backup: only hold and deletionPolicy can be changed. Create another one',
  }),
);

export type VMBackupSpec = z.infer<typeof VMBackupSpec>;

/** A place in a chain. */
export const ChainPosition = z.object({
  id: z.string().max(64).describe('The UID of the VMBackup whose full backup began the chain.'),
  position: z.int().min(0).max(100_000).describe('0 = the full backup; then 1, 2, 3, …'),
});
export type ChainPosition = z.infer<typeof ChainPosition>;

const PlannedDisk = z.object({
  volume: VolumeName.describe('Name of the volume in the VM.'),
  type: BackupType.describe('What this disk gets.'),
  reason: Reason.describe('Why.'),
  parentPath: z.string().max(1024).optional().describe('Directory of the parent backup in the repository.'),
  claim: z
    .object({
      name: ObjectName.describe('Its name.'),
      uid: z.string().max(64).describe('Its UID: another claim of the same name is another disk.'),
    })
    .optional()
    .describe('The PersistentVolumeClaim behind the volume when the plan was made.'),
});
export type PlannedDisk = z.infer<typeof PlannedDisk>;

export const Plan = z.object({
  attempt: z.int().min(1).max(1000).describe('Counts from 1.'),
  failedAttempts: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe(
      'How many attempts before this one failed; a plan made anew because the VM moved counts as none.',
    ),
  vmUid: z.string().max(64).optional().describe('UID of the VirtualMachine that was planned for.'),
  nodeName: z
    .string()
    .max(253)
    .describe('The node whose agent carries it out; empty for a VM that does not run.'),
  job: ObjectName.optional().describe('The Job that carries it out, for a VM that does not run.'),
  type: BackupType.describe('Full or Incremental.'),
  reason: Reason.describe('Why full, or why incremental.'),
  message: Message.describe('The same in a sentence.'),
  chain: ChainPosition.describe('The place in the chain that this backup will have.'),
  bitmap: z.string().max(64).describe("Name of the new checkpoint and bitmap: 'backup-<epoch seconds>'."),
  parent: z
    .object({
      name: ObjectName.describe('Name of its VMBackup.'),
      bitmap: z.string().max(64).describe('The bitmap that holds what changed since.'),
    })
    .optional()
    .describe('The backup that an incremental builds on.'),
  obsoleteBitmaps: z
    .array(z.string().max(64))
    .max(32)
    .meta(listAtomic)
    .optional()
    .describe(
      'Bitmaps of earlier backups of this VM in this repository: removed once this backup is committed.',
    ),
  path: z.string().max(1024).describe('Directory of this backup in the repository.'),
  disks: z.array(PlannedDisk).max(64).meta(listMap('volume')).describe('Disk by disk.'),
  leftOut: z
    .array(z.string().max(256))
    .max(64)
    .meta(listAtomic)
    .optional()
    .describe(
      'What the VM keeps beyond its claims, which no backup holds: a persistent TPM, EFI variables, disks of the node.',
    ),
});
export type Plan = z.infer<typeof Plan>;

const ExecutedDisk = z.object({
  volume: VolumeName.describe('Name of the volume in the VM.'),
  type: BackupType.describe('What was taken.'),
  reason: Reason.describe('Why.'),
  tracked: z
    .boolean()
    .describe('Whether the disk has a bitmap now, so that the next backup of it can be incremental.'),
  sizeBytes: Bytes.optional().describe('Virtual size of the disk.'),
  dataBytes: Bytes.optional().describe('Bytes of data read and kept.'),
  zeroBytes: Bytes.optional().describe('Bytes recorded as zero.'),
  storedBytes: Bytes.optional().describe('Size of the file in the repository.'),
  parentPath: z
    .string()
    .max(1024)
    .optional()
    .describe('Directory of the backup that it stands on, if an earlier attempt had committed it.'),
});
export type ExecutedDisk = z.infer<typeof ExecutedDisk>;

export const Execution = z.object({
  attempt: z.int().min(1).max(1000).describe('The attempt that this tells of.'),
  agent: z.string().max(253).describe('The node whose agent works on it.'),
  startedAt: Time.describe('When the agent took it up.'),
  pointInTime: Time.optional().describe('The instant that the backup stands for.'),
  bitmapCreated: z
    .string()
    .max(64)
    .optional()
    .describe('The checkpoint and bitmap that exist on the disks now.'),
  incrementalFallback: z
    .object({
      reason: Reason.describe('Why the planned parent could not be used.'),
      message: Message.describe('The same in a sentence.'),
      disks: z.array(VolumeName).max(64).meta(listAtomic).describe('The disks that got a full instead.'),
    })
    .optional()
    .describe('Set when a disk got a full although an incremental was planned.'),
  quiesce: z
    .object({
      result: z.enum(['Frozen', 'NoAgent', 'Failed', 'NotAsked']).describe('What the guest agent answered.'),
      frozenMilliseconds: z.int().min(0).optional().describe('How long the guest was frozen.'),
      message: Message.optional().describe('What went wrong.'),
    })
    .optional()
    .describe('Whether the file systems were frozen for the instant of the backup.'),
  estimatedBytes: Bytes.optional().describe(
    'What the backup takes at most, as far as could be known before it began.',
  ),
  progress: z
    .object({
      percent: z.int().min(0).max(100).describe('Share of the bytes to look at that is done.'),
      doneBytes: Bytes.describe('Bytes done.'),
      totalBytes: Bytes.describe('Bytes to look at.'),
      bytesPerSecond: Bytes.optional().describe('Rate.'),
    })
    .optional()
    .describe('How far the copy is.'),
  disks: z.array(ExecutedDisk).max(64).meta(listMap('volume')).optional().describe('Disk by disk.'),
  chain: ChainPosition.optional().describe(
    'The place in the chain that the manifest names, if an earlier attempt had committed the data: this attempt planned another one.',
  ),
  completedAt: Time.optional().describe('When this attempt ended, well or badly.'),
  error: z
    .object({
      reason: Reason.describe('What failed.'),
      message: Message.describe('What failed, and what to do.'),
      final: z.boolean().describe('Whether trying again is useless.'),
    })
    .optional()
    .describe('Set when this attempt failed.'),
});
export type Execution = z.infer<typeof Execution>;

export const Phase = z.enum(['Pending', 'Assigned', 'Running', 'Succeeded', 'Failed', 'Deleting']);
export type Phase = z.infer<typeof Phase>;

export const VMBackupStatus = z.object({
  observedGeneration: z.int().optional().describe('The generation that the controller has seen.'),
  conditions: Conditions.optional(),
  phase: Phase.optional().describe('A summary for people; programs read the conditions.'),
  type: BackupType.optional().describe('What was taken in the end (a fallback may have changed the plan).'),
  waitingSince: Time.optional().describe(
    'When it had its turn, or its window opened: startDeadlineSeconds counts from then.',
  ),
  typeReason: Reason.optional().describe('Why it is full, or why incremental.'),
  chain: ChainPosition.optional().describe('The place in the chain.'),
  size: z.string().max(32).optional().describe('Bytes stored, for people.'),
  seconds: z.int().min(0).optional().describe('From start to end of the good attempt.'),
  plan: Plan.optional().describe('What the controller decided for the current attempt.'),
  attempts: z
    .array(AttemptRecord)
    .max(MOST_ATTEMPT_RECORDS)
    .meta(listMap('attempt'))
    .optional()
    .describe(
      `What came of each attempt that is over, oldest first; the latest ${MOST_ATTEMPT_RECORDS} are kept.`,
    ),
  execution: Execution.optional().describe('What the agent did; only the agent writes here.'),
  removal: Removal.optional().describe('The last time that the data should have been removed, and was not.'),
  verification: Verification.optional().describe(
    'What came of the last verification that was asked for with the annotation backup.tidemark.dev/verify.',
  ),
});
export type VMBackupStatus = z.infer<typeof VMBackupStatus>;

/** One backup of one VM: its spec is the wish, its status the record. */
export const VMBackup = z.object({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal('VMBackup').optional(),
  metadata: ObjectMeta,
  spec: VMBackupSpec.describe('What to back up, and how. Immutable but for hold and deletionPolicy.'),
  status: VMBackupStatus.optional().describe('What was decided, and what came of it.'),
});
export type VMBackup = z.infer<typeof VMBackup>;

export const vmBackups = kindOf(
  { apiVersion: API_VERSION, kind: 'VMBackup', plural: 'vmbackups', namespaced: true },
  VMBackup,
);
