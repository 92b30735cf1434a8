import { z } from 'zod';
import type { DamagedBackup } from '../../crds/upkeep.ts';
import { comparePaths } from './path-order.ts';

/** Where a scrub of a repository stands: everything before this place is done. */
export interface ScrubCursor {
  readonly path: string;
  readonly volume: string;
  readonly offset: number;
}

export function formatScrubCursor({ path, volume, offset }: ScrubCursor): string {
  return `${path}#${volume}#${offset}`;
}

/** Null if it cannot be understood. */
export function parseScrubCursor(text: string): ScrubCursor | null {
  const match = /^([^#]+)#([^#]*)#(\d{1,15})$/.exec(text);
  return match === null ? null : { path: match[1]!, volume: match[2]!, offset: Number(match[3]) };
}

/** The result of `tidemark-mover scrub --json`. Small: a kubelet hands on only the end of a log. */
export const ScrubResult = z.object({
  event: z.literal('result'),
  command: z.literal('scrub'),
  /** Where the next slice goes on; null when the end was reached. */
  cursor: z.string().nullable(),
  backups: z.int().nonnegative(),
  bytesRead: z.int().nonnegative(),
  /** What was left to read when it began. */
  bytesLeft: z.int().nonnegative(),
  damaged: z.array(
    z.object({
      path: z.string(),
      chain: z.string().nullable(),
      volume: z.string().nullable(),
      reason: z.string(),
      message: z.string(),
    }),
  ),
});
export type ScrubResult = z.infer<typeof ScrubResult>;

/** The status holds so many damaged backups. */
export const DAMAGED_LIMIT = 64;

/**
 * What is known to be damaged after a slice: what was known of the backups that the slice did not look at, and what it found. A backup
 * that was damaged and is good now (a disk that was repaired), or is gone, is known to be damaged no more.
 * @param from where the slice began; undefined for the beginning
 */
export function mergeDamage(
  known: readonly DamagedBackup[],
  from: string | undefined,
  slice: ScrubResult,
  at: string,
): readonly DamagedBackup[] {
  const begin = from === undefined ? null : parseScrubCursor(from);
  const end = slice.cursor === null ? null : parseScrubCursor(slice.cursor);
  const found = new Set(slice.damaged.map(({ path }) => path));
  // Where it began in the middle, and where it ended, a backup was not seen as a whole.
  const isSeenWhole = (path: string) =>
    (begin === null || comparePaths(path, begin.path) > 0) &&
    (end === null || comparePaths(path, end.path) < 0);
  const before = known.filter(({ path }) => !found.has(path) && !isSeenWhole(path));
  const since = new Map(known.map(({ path, foundAt }) => [path, foundAt]));
  const now = slice.damaged.map(({ path, chain, volume, reason, message }) => ({
    path,
    chain: chain ?? undefined,
    volume: volume ?? undefined,
    reason,
    message: message.slice(0, 512),
    foundAt: since.get(path) ?? at,
  }));
  return [...before, ...now].toSorted((a, b) => comparePaths(a.path, b.path));
}
