import { z } from 'zod';
import { ManifestContext, StoredFile, VolumeName } from './manifest.ts';

/**
 * What the node agent asks of the mover: one JSON line on the standard input of `tidemark-mover backup --job -`. The agent
 * then holds standard input open; its end tells the mover that the agent is dead. docs/mover.md has an example.
 */

const AbsolutePath = z
  .string()
  .max(4096)
  .regex(/^\/(?!.*(^|\/)\.{1,2}(\/|$))[^\0]*[^/\0]$/, 'must be an absolute path without "." or ".." in it');

const Common = {
  name: VolumeName,
  /** `nbd+unix:///<export>?socket=<path>`. */
  source: z.string().min(1).max(4096),
  /** Why this volume is full or incremental, written to the manifest. */
  reason: z.string().max(4096).default(''),
};

/** One disk. An incremental needs the bitmap to read and the directory of the backup its image will stand on. */
export const VolumeJob = z.discriminatedUnion('type', [
  z.strictObject({ ...Common, type: z.literal('Full') }),
  z.strictObject({
    ...Common,
    type: z.literal('Incremental'),
    /** NBD meta context `qemu:dirty-bitmap:<bitmap>`; libvirt calls it by its `exportbitmap`, or `backup-<disk>`. */
    bitmap: z.string().min(1).max(1023),
    /** Directory of the parent backup for THIS volume: a sibling of the backup's own directory. */
    parent: AbsolutePath,
  }),
]);
export type VolumeJob = z.infer<typeof VolumeJob>;

export const BackupJob = z
  .strictObject({
    /** The backup's final directory, `<root>/<cluster>/<namespace>/<vm>-<uid8>/<backup id>`. */
    directory: AbsolutePath,
    attempt: z.int().nonnegative(),
    manifest: ManifestContext,
    files: z.array(StoredFile).max(1000).default([]),
    volumes: z.array(VolumeJob).min(1).max(1000),
    compression: z.literal(['none', 'zstd']).default('none'),
    /** zstd's own: 1 is quick, 19 is small; 3 is its default, and QEMU's. */
    compressionLevel: z.int().min(1).max(19).default(3),
    /** For all volumes together. */
    limitBytesPerSecond: z.int().positive().optional(),
    /** How many volumes are copied at the same time. */
    parallel: z.int().min(1).max(16).default(2),
    /** Written to `tidemark.json` when the repository has none yet; refused when it has another. */
    repositoryId: z.string().min(1).max(128).optional(),
    /** Give up on an NBD server that owes an answer and says nothing for this long. */
    stallMilliseconds: z.int().positive().optional(),
  })
  .refine((job) => job.directory.endsWith(`/${job.manifest.backup.id}`), {
    path: ['directory'],
    message: 'must end in the backup id of the manifest',
  })
  .refine((job) => unique(job.volumes.map(({ name }) => name)), {
    path: ['volumes'],
    message: 'must have different names',
  })
  .refine((job) => unique(job.files.map(({ name }) => name)), {
    path: ['files'],
    message: 'must have different names',
  });
export type BackupJob = z.infer<typeof BackupJob>;
/** The same before defaults are filled in: what a caller writes. */
export type BackupJobInput = z.input<typeof BackupJob>;

/**
 * The directory a mover writes into before the commit: a sibling of the final one, which readers ignore. `mark` is eight random
 * hexadecimal digits: of two movers for one attempt, one of them thought dead, each has a directory of its own.
 */
export function incomingName(backupId: string, attempt: number, mark: string): string {
  return `.incoming-${backupId}-${attempt}.${mark}`;
}

/** The backup id and attempt behind an incoming directory's name, also of movers that gave no mark; null for any other name. */
export function parseIncomingName(
  name: string,
): { readonly backupId: string; readonly attempt: number } | null {
  const match = /^\.incoming-(.+)-(\d{1,15})(?:\.[0-9a-f]{8})?$/.exec(name);
  return match ? { backupId: match[1]!, attempt: Number(match[2]) } : null;
}

function unique(names: readonly string[]): boolean {
  return new Set(names).size === names.length;
}
