import { z } from 'zod';
import { Bytes, cel, listAtomic, listSet, Message, Reason, Time } from './api.ts';

const Path = z.string().max(1024);

export const ScrubEvery = z
  .string()
  .min(2)
  .max(8)
  .meta(
    cel({
      rule: "self == 'Never' || self.matches('^[1-9][0-9]{0,3}[dh]$')",
      message: "scrubEvery takes days or hours, for example '30d' or '12h', or Never",
    }),
  )
  .optional()
  .describe(
    '30d when left out. Within this time, every byte in the repository is read and verified once, a slice each day. Never: not at all.',
  );

export const CatalogueSpec = z.object({
  import: z
    .enum(['Lost', 'Never'])
    .default('Lost')
    .describe(
      'Lost: VMBackups are made for backups in the repository of VMs that have none in the cluster any more, as after a namespace was deleted. Never: not by itself.',
    ),
  clusters: z
    .array(z.string().min(1).max(64))
    .max(64)
    .meta(listSet)
    .optional()
    .describe(
      "Also import what these clusters took, by their ids (the UID of their namespace kube-system), or ['*'] for all. Their backups can be restored and not be deleted here.",
    ),
  staleAfterHours: z
    .int()
    .min(1)
    .max(8760)
    .default(168)
    .describe('What dead attempts left behind is removed when nobody wrote to it for so long.'),
});
export type CatalogueSpec = z.infer<typeof CatalogueSpec>;

const paths = z.array(Path).max(10).meta(listAtomic).optional();

export const CatalogueStatus = z.object({
  lastTime: Time.optional().describe('When the repository was last listed to its end.'),
  next: z.string().max(1024).optional().describe('Where the listing goes on; absent between two of them.'),
  trigger: z
    .string()
    .max(63)
    .optional()
    .describe('The last value of the annotation backup.tidemark.dev/sync that was followed.'),
  backups: z.int().min(0).describe('Backups in the repository.'),
  storedBytes: Bytes.describe('Bytes that they take.'),
  imported: z.int().min(0).describe('VMBackups made by the last listing.'),
  dataWithoutObject: z
    .int()
    .min(0)
    .describe('Backups of this cluster in the repository that have no VMBackup.'),
  dataWithoutObjectExamples: paths.describe('Some of them.'),
  objectsWithoutData: z.int().min(0).describe('VMBackups that succeeded and whose data is not there.'),
  objectsWithoutDataExamples: paths.describe('Some of them.'),
  unreadable: z.int().min(0).describe('Directories whose manifest is missing or damaged.'),
  unreadableExamples: paths.describe('Some of them.'),
  otherClusters: z.int().min(0).describe('Backups that other clusters took.'),
});
export type CatalogueStatus = z.infer<typeof CatalogueStatus>;

/** A backup whose data is not what was written. */
export const DamagedBackup = z.object({
  path: Path.describe('Its directory in the repository.'),
  chain: z
    .string()
    .max(64)
    .optional()
    .describe('The id of its chain; absent if its manifest cannot be read.'),
  volume: z.string().max(63).optional().describe('The volume, if it is one.'),
  reason: Reason.describe('What is wrong.'),
  message: z.string().max(512).describe('The same in a sentence.'),
  foundAt: Time.describe('When it was found.'),
});
export type DamagedBackup = z.infer<typeof DamagedBackup>;

export const ScrubStatus = z.object({
  cycleStartedAt: Time.optional().describe('When this pass over the repository began.'),
  nextSliceAt: Time.optional().describe('When the next slice is due.'),
  lastSliceAt: Time.optional().describe('When the last slice ended.'),
  lastFullPassAt: Time.optional().describe('When every byte had been seen.'),
  cursor: z.string().max(1200).optional().describe('Where the next slice goes on; absent at the beginning.'),
  trigger: z
    .string()
    .max(63)
    .optional()
    .describe('The last value of the annotation backup.tidemark.dev/scrub that was followed.'),
  passBytes: Bytes.describe('Bytes read in this pass.'),
  damagedCount: z.int().min(0).describe('Backups that are known to be damaged.'),
  damaged: z
    .array(DamagedBackup)
    .max(64)
    .meta(listAtomic)
    .optional()
    .describe('The damaged backups (64 at most). The next backup of their chain is a full.'),
});
export type ScrubStatus = z.infer<typeof ScrubStatus>;

export const Removal = z.object({
  at: Time.describe('When it was tried.'),
  reason: Reason.describe('Why the data is still there.'),
  message: Message.describe('The same in a sentence, with what to do.'),
  with: z
    .enum(['Nothing', 'Following', 'Chain'])
    .optional()
    .describe('What was to go with it then, by the annotation backup.tidemark.dev/delete-with.'),
});

export const Verification = z.object({
  trigger: z
    .string()
    .max(63)
    .describe('The last value of the annotation backup.tidemark.dev/verify that was followed.'),
  bytesRead: Bytes.describe('Bytes read.'),
  cursor: z
    .string()
    .max(1200)
    .optional()
    .describe('Where it goes on: it gave way to more urgent work of the repository.'),
  completedAt: Time.optional().describe('When it ended.'),
  result: z
    .enum(['Good', 'Damaged', 'Unknown'])
    .optional()
    .describe('Good: every byte is what was written. Unknown: it could not be read, and reason says why.'),
  reason: Reason.optional().describe('The result in a word.'),
  message: Message.optional().describe('The same in a sentence.'),
});
export type Verification = z.infer<typeof Verification>;

export const UpkeepStatus = z.object({
  run: z.int().min(0).describe('How many Jobs there were; names the next one.'),
  job: z.string().max(253).optional().describe('The Job that runs now.'),
  work: z
    .enum(['Sweep', 'Catalogue', 'Verify', 'Scrub'])
    .optional()
    .describe('What the last Job did, or the one that runs does.'),
  backup: z.string().max(320).optional().describe('The VMBackup that the Job verifies, as namespace/name.'),
  waiting: z
    .object({
      reason: Reason.describe('What for.'),
      message: Message.describe('The same in a sentence.'),
    })
    .optional()
    .describe(
      'What the pod of the Job waits for, if it does not begin. After ten minutes the Job is given up.',
    ),
  follows: z
    .object({
      sync: z.string().max(63).optional().describe('Of backup.tidemark.dev/sync, for the listing.'),
      scrub: z.string().max(63).optional().describe('Of backup.tidemark.dev/scrub, for the slice.'),
    })
    .optional()
    .describe(
      'The values of the annotations that the last listing and the last slice of the scrub were begun for: one that came later is still to be followed.',
    ),
  leftoversAt: Time.optional().describe('When what dead attempts left behind was last collected.'),
  failures: z.int().min(0).optional().describe('How many Jobs in a row failed.'),
  lastFailure: z
    .object({
      at: Time.describe('When it failed.'),
      reason: Reason.describe('Why.'),
      message: Message.describe('The same in a sentence.'),
    })
    .optional()
    .describe('The last Job, if it failed: the next one waits longer.'),
});
export type UpkeepStatus = z.infer<typeof UpkeepStatus>;
