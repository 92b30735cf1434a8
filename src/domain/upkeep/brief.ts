import { z } from 'zod';
import { jsonOrNothing } from '../json-or-nothing.ts';
import type { Manifest } from '../manifest.ts';

/** One backup in a listing: what a VMBackup can be made from, and no more. One JSON line of `list --json --brief`. */
export const BriefBackup = z.object({
  event: z.literal('backup'),
  /** Below the repository's root. */
  path: z.string(),
  /** What is wrong with its manifest; null if it is good. */
  reason: z.string().nullable(),
  message: z.string().nullable(),
  backup: z
    .object({
      uid: z.string(),
      name: z.string(),
      createdAt: z.string(),
      completedAt: z.string(),
      vm: z.object({ name: z.string(), uid: z.string() }),
      chain: z.object({ id: z.string(), position: z.int() }),
      type: z.enum(['Full', 'Incremental']),
      reason: z.string(),
      message: z.string(),
      bitmap: z.string().nullable(),
      attempt: z.int(),
      storedBytes: z.int(),
      volumes: z.array(
        z.object({
          name: z.string(),
          type: z.enum(['Full', 'Incremental']),
          reason: z.string(),
          parent: z.string().nullable(),
          sizeBytes: z.int(),
          dataBytes: z.int(),
          zeroBytes: z.int(),
          storedBytes: z.int(),
        }),
      ),
    })
    .nullable(),
});
export type BriefBackup = z.infer<typeof BriefBackup>;

/** The last line of a listing in pages: how many lines were before it, and where the next page begins. */
export const ListResult = z.object({
  event: z.literal('result'),
  command: z.literal('list'),
  backups: z.int(),
  next: z.string().nullable(),
});
export type ListResult = z.infer<typeof ListResult>;

/** The backups that a listing tells of. */
export function entriesIn(log: string): readonly BriefBackup[] {
  return log.split('\n').flatMap((line) => {
    if (!line.startsWith('{"event":"backup"')) return [];
    const entry = BriefBackup.safeParse(jsonOrNothing(line));
    return entry.success ? [entry.data] : [];
  });
}

/** The few facts of a manifest. */
export function brief(path: string, manifest: Manifest): BriefBackup {
  const { backup, vm, chain, type, reason, message, bitmap, attempt, completedAt, volumes } = manifest;
  const facts = volumes.map(
    ({ name, type, reason, parent, virtualSizeBytes, dataBytes, zeroBytes, image }) => ({
      name,
      type,
      reason: reason.slice(0, 64),
      parent: parent?.id ?? null,
      sizeBytes: virtualSizeBytes,
      dataBytes,
      zeroBytes,
      storedBytes: image.bytes,
    }),
  );
  const storedBytes = volumes.reduce((sum, { image, sums }) => sum + image.bytes + sums.bytes, 0);
  return {
    event: 'backup',
    path,
    reason: null,
    message: null,
    backup: {
      uid: backup.uid,
      name: backup.name,
      createdAt: backup.createdAt,
      completedAt,
      vm: { name: vm.name, uid: vm.uid },
      chain,
      type,
      reason,
      message: message.slice(0, 512),
      bitmap,
      attempt,
      storedBytes,
      volumes: facts,
    },
  };
}
