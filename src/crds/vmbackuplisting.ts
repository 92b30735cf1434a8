import { z } from 'zod';
import { API_VERSION, Bytes, cel, kindOf, listAtomic, ObjectMeta, ObjectName, Reason, Time } from './api.ts';
import { Conditions } from './conditions.ts';

export const VMBackupListingSpec = z
  .object({
    repository: ObjectName.describe('Name of the VMBackupRepository.'),
    vmName: z
      .string()
      .min(1)
      .max(63)
      .meta(
        cel({
          rule: "self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')",
          message: 'vmName is the name of a VirtualMachine',
        }),
      )
      .optional()
      .describe('Only backups of VMs of this name; all when left out.'),
    from: z
      .string()
      .min(1)
      .max(1024)
      .meta(
        cel({
          rule: "self.matches('^[A-Za-z0-9][A-Za-z0-9._/-]*$')",
          message: "from is status.next of the listing before, a path below the repository's root",
        }),
      )
      .optional()
      .describe('Where the list begins: status.next of the listing before.'),
  })
  .meta(cel({ rule: 'self == oldSelf', message: 'a VMBackupListing cannot be changed: create another one' }));
export type VMBackupListingSpec = z.infer<typeof VMBackupListingSpec>;

/** So many backups are in one listing: an object must not grow without end. */
export const LISTED_AT_ONCE = 500;

export const ListedBackup = z.object({
  path: z
    .string()
    .max(1024)
    .describe(
      "Its directory below the repository's root, <cluster id>/<namespace>/<vm>-<uid8>/<backup id>: source.repositoryPath.path of a VMRestore takes it.",
    ),
  vmName: z.string().max(63).optional().describe('The VM.'),
  createdAt: Time.optional().describe('The point in time that it stands for.'),
  type: z.enum(['Full', 'Incremental']).optional().describe('Whether it stands on its own.'),
  chain: z
    .object({
      id: z.string().max(64).describe('Names the chain.'),
      position: z.int().min(0).describe('0 = the full backup.'),
    })
    .optional()
    .describe('The place in the chain.'),
  storedBytes: Bytes.optional().describe('Bytes that it takes.'),
  backupName: ObjectName.optional().describe(
    'The VMBackup in this namespace that tells of it, if there is one.',
  ),
  imported: z.boolean().optional().describe('Whether that VMBackup was made from the repository.'),
  damage: z
    .object({
      reason: Reason.describe('In a word.'),
      message: z.string().max(512).describe('In a sentence.'),
    })
    .optional()
    .describe('What is known to be wrong with it, or with one that it stands on.'),
});
export type ListedBackup = z.infer<typeof ListedBackup>;

export const VMBackupListingStatus = z.object({
  observedGeneration: z.int().optional().describe('The generation that the controller has seen.'),
  conditions: Conditions.optional(),
  count: z.int().min(0).optional().describe('How many backups are in `backups`.'),
  backups: z
    .array(ListedBackup)
    .max(LISTED_AT_ONCE)
    .meta(listAtomic)
    .optional()
    .describe(`The backups, by their paths; ${LISTED_AT_ONCE} at most.`),
  next: z.string().max(1024).optional().describe('Where the next listing must begin; absent if this is all.'),
  completedAt: Time.optional().describe('When it ended, well or badly. An hour later the object is removed.'),
});
export type VMBackupListingStatus = z.infer<typeof VMBackupListingStatus>;

/** What a namespace has in a repository, read from the repository itself. */
export const VMBackupListing = z.object({
  apiVersion: z.literal(API_VERSION).optional(),
  kind: z.literal('VMBackupListing').optional(),
  metadata: ObjectMeta,
  spec: VMBackupListingSpec.describe('What to list. Immutable.'),
  status: VMBackupListingStatus.optional().describe('What was found.'),
});
export type VMBackupListing = z.infer<typeof VMBackupListing>;

export const vmBackupListings = kindOf(
  { apiVersion: API_VERSION, kind: 'VMBackupListing', plural: 'vmbackuplistings', namespaced: true },
  VMBackupListing,
);
