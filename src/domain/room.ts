import { humanSize } from './columns.ts';
import type { Why } from './why.ts';

/** What a backup is going to read of one disk; undefined bytes: nobody can tell before it is read. */
export interface DiskEstimate {
  readonly volume: string;
  readonly type: 'Full' | 'Incremental';
  readonly bytes: number | undefined;
}

/** Bytes that a backup is going to take at most, as far as is known. */
export function estimatedBytes(disks: readonly DiskEstimate[]): number {
  return disks.reduce((sum, { bytes }) => sum + (bytes ?? 0), 0);
}

/**
 * Why a backup would not find room in its repository; undefined if it would, as far as is known. What cannot be estimated never
 * stands in the way: a copy that meets a full disk ends well, too, only later.
 */
export function noRoom(disks: readonly DiskEstimate[], freeBytes: number): Why | undefined {
  const bytes = estimatedBytes(disks);
  if (bytes <= freeBytes) return undefined;
  const parts = disks
    .filter((disk) => disk.bytes !== undefined && disk.bytes > 0)
    .map(
      ({ volume, type, bytes = 0 }) =>
        `'${volume}' ${humanSize(bytes)} ${type === 'Full' ? 'allocated' : 'changed'}`,
    );
  const message = `The backup takes up to ${humanSize(bytes)} (${parts.join(', ')}), and ${humanSize(freeBytes)} are free in the repository: make room there, or give it more. Nothing was begun.`;
  return { reason: 'RepositoryTooFull', message };
}
