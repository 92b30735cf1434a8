import { UsageError } from '../errors.ts';

/** How far a verification has come: everything before this place is done. Its order is that of backup id, volume, offset. */
export interface Cursor {
  readonly id: string;
  readonly volume: string;
  /** In the image file; a multiple of 64 KiB. */
  readonly offset: number;
}

export function formatCursor({ id, volume, offset }: Cursor): string {
  return `${id}/${volume}/${offset}`;
}

/** @throws UsageError */
export function parseCursor(text: string): Cursor {
  const match = /^([^/]+)\/([^/]+)\/(\d{1,15})$/.exec(text);
  const offset = Number(match?.[3] ?? -1);
  if (match && offset % 65536 === 0) return { id: match[1]!, volume: match[2]!, offset };
  throw new UsageError(
    'UsageError',
    `"${text}" is not a place where a verification stopped: give what it told as "cursor"`,
  );
}

/**
 * Where to begin in a volume: 0 for all of it, null if it is done. By comparison, not by name: the very backup may be gone by
 * now, and there may be newer ones.
 */
export function startWithin(cursor: Cursor | null, id: string, volume: string): number | null {
  if (cursor === null) return 0;
  const order = compare(id, cursor.id) || compare(volume, cursor.volume);
  if (order < 0) return null;
  return order === 0 ? cursor.offset : 0;
}

/** Code units, so that the order is the same in every locale. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
