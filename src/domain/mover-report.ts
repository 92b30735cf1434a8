import { z } from 'zod';
import { BackupType } from './manifest.ts';

/** What the mover says on standard output with `--json`: one JSON object a line. Readers ignore events they do not know. */

const Bytes = z.int().nonnegative();

/** At most two a second for each volume, and one at each change of phase. */
export const ProgressEvent = z.object({
  event: z.literal('progress'),
  volume: z.string(),
  phase: z.enum(['copying', 'syncing', 'verifying', 'restoring']),
  /** How far the mover has come on the disk, of its size as the guest sees it. */
  bytesDone: Bytes,
  bytesTotal: Bytes,
  /** Read from the source, and written to the repository, so far. */
  bytesRead: Bytes,
  bytesStored: Bytes,
  /** While verifying: everything before this place is done. `verify --resume` goes on from here. */
  cursor: z.string().optional(),
});
export type ProgressEvent = z.infer<typeof ProgressEvent>;

export const VolumeResult = z.object({
  name: z.string(),
  type: BackupType,
  virtualSizeBytes: Bytes,
  dataBytes: Bytes,
  zeroBytes: Bytes,
  /** Size of the image file. */
  imageBytes: Bytes,
});
export type VolumeResult = z.infer<typeof VolumeResult>;

export const BackupResult = z.object({
  event: z.literal('result'),
  command: z.literal('backup'),
  directory: z.string(),
  /** True when an earlier attempt had committed this very backup already and nothing was written. */
  alreadyCommitted: z.boolean(),
  volumes: z.array(VolumeResult),
  milliseconds: Bytes,
});
export type BackupResult = z.infer<typeof BackupResult>;

/** How one volume of a committed backup was found. `reason` is null when it is fit for use. */
export const InspectedVolume = VolumeResult.extend({
  bitmap: z.string().nullable(),
  parentId: z.string().nullable(),
  /** Number of backups under this one that a restore reads, itself included. */
  chainLength: z.int().nonnegative(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
});
export type InspectedVolume = z.infer<typeof InspectedVolume>;

/** A directory that holds no readable manifest has `backup: null` and the reason at the top. */
export const InspectResult = z.object({
  event: z.literal('result'),
  command: z.literal('inspect'),
  directory: z.string(),
  usable: z.boolean(),
  reason: z.string().nullable(),
  message: z.string().nullable(),
  backup: z
    .object({
      id: z.string(),
      uid: z.string(),
      name: z.string(),
      namespace: z.string(),
      createdAt: z.string(),
      type: BackupType,
      bitmap: z.string().nullable(),
      chainId: z.string(),
      chainPosition: z.int(),
      vmUid: z.string(),
    })
    .nullable(),
  volumes: z.array(InspectedVolume),
});
export type InspectResult = z.infer<typeof InspectResult>;

export const RestoreResult = z.object({
  event: z.literal('result'),
  command: z.literal('restore'),
  volume: z.string(),
  to: z.string(),
  virtualSizeBytes: Bytes,
  chainLength: z.int().positive(),
  /** Read from the images of the chain, and written to the target. */
  bytesRead: Bytes,
  bytesWritten: Bytes,
  milliseconds: Bytes,
});
export type RestoreResult = z.infer<typeof RestoreResult>;

/** Bytes of a file or a disk, [start, end). */
const ByteRange = z.object({ start: Bytes, end: Bytes });

export const VerifyResult = z.object({
  event: z.literal('result'),
  command: z.literal('verify'),
  directory: z.string(),
  good: z.boolean(),
  /** Where to go on, when `--for` ended the verification; null when all was seen. */
  cursor: z.string().nullable(),
  backups: z.int().nonnegative(),
  bytesRead: Bytes,
  faults: z.array(
    z.object({
      reason: z.string(),
      volume: z.string().nullable(),
      path: z.string(),
      message: z.string(),
      /** The part of the file that is wrong, and the parts of the volume's disk that lie there. */
      range: ByteRange.nullable(),
      guestRanges: z.array(ByteRange),
    }),
  ),
});
export type VerifyResult = z.infer<typeof VerifyResult>;

export const ProbeResult = z.object({
  event: z.literal('result'),
  command: z.literal('probe'),
  directory: z.string(),
  repositoryId: z.string().nullable(),
  totalBytes: Bytes,
  freeBytes: Bytes,
  latencyMilliseconds: z.number().nonnegative(),
});
export type ProbeResult = z.infer<typeof ProbeResult>;

export const DiscardResult = z.object({
  event: z.literal('result'),
  command: z.literal('discard'),
  directory: z.string(),
  removed: z.array(z.string()),
});
export type DiscardResult = z.infer<typeof DiscardResult>;

/** The last line of a run that failed; `exitCode` is the process's own (docs/mover.md). */
export const ErrorEvent = z.object({
  event: z.literal('error'),
  /** PascalCase and stable: `ParentDataMissing`, `NbdGone`, `TargetFull`, … */
  reason: z.string(),
  message: z.string(),
  volume: z.string().nullable(),
  exitCode: z.int(),
});
export type ErrorEvent = z.infer<typeof ErrorEvent>;
