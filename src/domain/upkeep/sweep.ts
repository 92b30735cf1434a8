import { z } from 'zod';

/** What a sweep is asked for: the argument of `tidemark-mover sweep`. docs/deletion.md tells the rules. */

/** `<cluster>/<namespace>/<vm>/<backup>`: four names, none of them hidden, none of them `..`. */
const BackupPath = z
  .string()
  .max(1024)
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]*(\/[A-Za-z0-9][A-Za-z0-9._-]*){3}$/,
    'must be cluster/namespace/vm/backup',
  );

export const SweepOrder = z.strictObject({
  /** Only what this cluster took is touched. */
  clusterId: z.string().min(1).max(64),
  backups: z
    .array(
      z.strictObject({
        path: BackupPath,
        /** The UID of its VMBackup: another backup at that path stays. */
        uid: z.string().min(1).max(64),
        /** What goes with it. */
        with: z.enum(['Nothing', 'Following', 'Chain']).default('Nothing'),
      }),
    )
    .max(64),
  /** Backups that stay, whatever is asked: those of VMBackups that are not being deleted. */
  keep: z.array(BackupPath).max(10_000).default([]),
  /** Remove what dead attempts and killed sweeps left, if nobody wrote to it for so long. */
  leftovers: z
    .strictObject({
      olderThanSeconds: z.int().min(0),
      /** Backup ids that are being written. */
      busy: z.array(z.string()).max(10_000),
    })
    .optional(),
});
export type SweepOrder = z.infer<typeof SweepOrder>;

export const SweepOutcome = z.enum([
  /** The data is gone. */
  'Removed',
  /** There was nothing: an earlier sweep took it, or nothing was ever committed. */
  'Gone',
  /** Others stand on it, or may. */
  'HasDescendants',
  /** It is not what was asked for. */
  'Refused',
  /** It could not be removed. The sweep ended here. */
  'Failed',
  /** An earlier one could not be removed. */
  'NotReached',
]);
export type SweepOutcome = z.infer<typeof SweepOutcome>;

export const SweepResult = z.object({
  event: z.literal('result'),
  command: z.literal('sweep'),
  backups: z.array(
    z.object({
      uid: z.string(),
      outcome: SweepOutcome,
      reason: z.string(),
      message: z.string(),
      /** Freed, together with what went with it. */
      bytes: z.int().nonnegative(),
    }),
  ),
  /** Directories that dead attempts and killed sweeps had left. */
  leftovers: z.int().nonnegative(),
  /** Why some of them could not be removed. */
  stuck: z.array(z.string()).default([]),
});
export type SweepResult = z.infer<typeof SweepResult>;
