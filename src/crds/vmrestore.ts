import { z } from 'zod';
import {
  API_VERSION,
  Bytes,
  cel,
  kindOf,
  listAtomic,
  listMap,
  listSet,
  Message,
  ObjectMeta,
  ObjectName,
  Reason,
  Time,
  VolumeName,
} from './api.ts';
import { Conditions } from './conditions.ts';

const VmName = z.string().min(1).max(63);

const RepositoryPath = z
  .string()
  .min(1)
  .max(1024)
  .meta(
    cel({
      rule: "self.matches('^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*){3}$')",
      message:
        "path is relative to the repository's root and names one backup: <cluster id>/<namespace>/<vm>-<uid8>/<backup id>, as 'kubectl tidemark repo backups' shows it",
    }),
  );

const Source = z
  .object({
    backupName: ObjectName.optional().describe('A VMBackup in the same namespace.'),
    repositoryPath: z
      .object({
        repository: ObjectName.describe('Name of the VMBackupRepository.'),
        path: RepositoryPath.describe('Directory of the backup, relative to the root of the repository.'),
      })
      .optional()
      .describe(
        'A backup that no object tells of any more: of another cluster, or of a namespace that is gone.',
      ),
  })
  .meta(
    cel({
      rule: 'has(self.backupName) != has(self.repositoryPath)',
      message: 'say what to restore: set either source.backupName or source.repositoryPath',
    }),
  );

const RunStrategy = z.enum(['Always', 'RerunOnFailure', 'Manual', 'Halted', 'Once']);

const NewVm = z.object({
  name: VmName.describe('Its name; no VirtualMachine may have it.'),
  runStrategy: RunStrategy.default('Halted').describe('Whether it starts: Halted lets you look first.'),
  identity: z
    .enum(['New', 'Keep'])
    .default('New')
    .describe(
      'New: KubeVirt gives it another firmware UUID, serial and other MAC addresses, so that it can run beside the original. Keep: it is the original to its guest and to the network, for when that one is gone.',
    ),
});

const InPlace = z.object({
  vmName: VmName.describe('The VirtualMachine whose disks go back.'),
  stopVM: z
    .boolean()
    .default(false)
    .describe('Stop the VM if it runs; it is started again as it was. Without it, a running VM is refused.'),
});

const Claims = z.object({
  prefix: z
    .string()
    .max(40)
    .meta(
      cel({
        rule: "self.matches('^([a-z0-9]([a-z0-9-]*))?$')",
        message:
          'claims.prefix begins with a letter or digit and holds only lower-case letters, digits and dashes',
      }),
    )
    .default('restored-')
    .describe('The PersistentVolumeClaim of volume X becomes <prefix>X.'),
});

const Target = z
  .object({
    newVM: NewVm.optional().describe('A VirtualMachine made anew beside what is there.'),
    inPlace: InPlace.optional().describe(
      'The same VirtualMachine, back as it was; its disks of today stay as claims.',
    ),
    claims: Claims.optional().describe('Only PersistentVolumeClaims, to be attached to any VM.'),
  })
  .meta(
    cel({
      rule: '[has(self.newVM), has(self.inPlace), has(self.claims)].filter(x, x).size() == 1',
      message: 'say where it goes: set exactly one of target.newVM, target.inPlace and target.claims',
    }),
  );

export const VMRestoreSpec = z
  .object({
    source: Source.describe('What to restore.'),
    target: Target.describe('Where it goes, in the namespace of this object.'),
    volumes: z
      .array(VolumeName)
      .min(1)
      .max(64)
      .meta(listSet)
      .optional()
      .describe('Only these volumes; all that the backup holds when left out.'),
    storageClassMap: z
      .record(z.string().max(253), z.string().max(253))
      .meta({ maxProperties: 32 })
      .optional()
      .describe(
        "Storage classes to use instead of those that the disks had: {old: new}; '*' stands for all others.",
      ),
    accessModes: z
      .array(z.enum(['ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod']))
      .min(1)
      .max(3)
      .meta(listSet)
      .optional()
      .describe(
        'Access modes of the new claims, where the storage class does not offer those that the disks had.',
      ),
    volumeMode: z
      .enum(['Filesystem', 'Block'])
      .optional()
      .describe('How the disks lie in the new claims, where the storage class does not offer what they had.'),
    withoutPersistentState: z
      .boolean()
      .default(false)
      .describe(
        'Restore although the VM had a persistent TPM or EFI variables: they are in no backup, and the new VM begins with empty ones. A guest that keeps disk keys in its TPM will ask for the recovery key.',
      ),
    verifyFirst: z
      .boolean()
      .default(false)
      .describe(
        'Read the whole chain and prove every block before anything is touched, a running VM above all. Without it, names, sizes and links are checked first, and each block before it is written.',
      ),
    dryRun: z
      .boolean()
      .default(false)
      .describe('Check and plan, write the plan to status, and change nothing.'),
  })
  .meta(cel({ rule: 'self == oldSelf', message: 'a VMRestore cannot be changed: create another one' }));
export type VMRestoreSpec = z.infer<typeof VMRestoreSpec>;

const PlannedClaim = z.object({
  volume: VolumeName.describe('Name of the volume in the VM.'),
  claimName: ObjectName.describe('The PersistentVolumeClaim that takes it.'),
  sizeBytes: Bytes.describe('Size of the disk.'),
  requestBytes: Bytes.describe('What the claim asks for.'),
  volumeMode: z.enum(['Filesystem', 'Block']).describe('How the disk lies in the claim.'),
  accessModes: z.array(z.string().max(32)).max(4).meta(listAtomic).describe('Who may mount it.'),
  storageClassName: z
    .string()
    .max(253)
    .optional()
    .describe("The storage class; the cluster's default when left out."),
  replaces: ObjectName.optional().describe(
    'In place: the claim that the VM has for this volume today. It is kept.',
  ),
});
export type PlannedClaim = z.infer<typeof PlannedClaim>;

export const RestorePlan = z.object({
  repository: ObjectName.describe('Name of the VMBackupRepository.'),
  path: z.string().max(1024).describe('Directory of the backup in it.'),
  pointInTime: Time.optional().describe('The instant that the backup stands for.'),
  vmName: VmName.optional().describe('The VirtualMachine that is made, or changed.'),
  vmUid: z.string().max(64).optional().describe('In place: its UID.'),
  runStrategy: RunStrategy.optional().describe('How it runs in the end.'),
  claims: z.array(PlannedClaim).max(64).meta(listMap('volume')).describe('Disk by disk.'),
  leftOut: z
    .array(z.string().max(256))
    .max(64)
    .meta(listAtomic)
    .optional()
    .describe('What of the VM is not restored, and why.'),
});
export type RestorePlan = z.infer<typeof RestorePlan>;

const RestoredVolume = z.object({
  volume: VolumeName.describe('Name of the volume.'),
  state: z.enum(['Waiting', 'Writing', 'Done']).describe('How far it is.'),
  doneBytes: Bytes.optional().describe('Bytes of the disk done.'),
});
export type RestoredVolume = z.infer<typeof RestoredVolume>;

export const RestorePhase = z.enum(['Pending', 'Checking', 'Writing', 'Finishing', 'Succeeded', 'Failed']);
export type RestorePhase = z.infer<typeof RestorePhase>;

export const VMRestoreStatus = z.object({
  observedGeneration: z.int().optional().describe('The generation that the controller has seen.'),
  conditions: Conditions.optional(),
  phase: RestorePhase.optional().describe('A summary for people; programs read the conditions.'),
  plan: RestorePlan.optional().describe('What was decided; nothing is changed before it stands here.'),
  volumes: z.array(RestoredVolume).max(64).meta(listMap('volume')).optional().describe('Disk by disk.'),
  percent: z.int().min(0).max(100).optional().describe('Share of the bytes that is done.'),
  size: z.string().max(16).optional().describe('Size of the disks together, for people.'),
  rate: z.string().max(16).optional().describe('Rate since the writing began, for people.'),
  bytesPerSecond: Bytes.optional().describe('Rate since the writing began.'),
  secondsLeft: z.int().min(0).optional().describe('Time left at that rate.'),
  startedAt: Time.optional().describe('When the writing began.'),
  completedAt: Time.optional().describe('When it ended, well or badly.'),
  failure: z
    .object({ reason: Reason.describe('What failed.'), message: Message.describe('The same in a sentence.') })
    .optional()
    .describe('Why it failed for good. Until `completedAt` is set, what was begun is being undone.'),
});
export type VMRestoreStatus = z.infer<typeof VMRestoreStatus>;

/** One restore of one backup. */
export const VMRestore = z.object({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal('VMRestore').optional(),
  metadata: ObjectMeta,
  spec: VMRestoreSpec.describe('What to restore, and to where. Immutable.'),
  status: VMRestoreStatus.optional().describe('What came of it.'),
});
export type VMRestore = z.infer<typeof VMRestore>;

export const vmRestores = kindOf(
  { apiVersion: API_VERSION, kind: 'VMRestore', plural: 'vmrestores', namespaced: true },
  VMRestore,
);
