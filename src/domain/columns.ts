import type { Execution } from '../crds/vmbackup.ts';

/** What `kubectl get` shows. Written for people, never read back by code. */

const UNITS = ['B', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi'] as const;

/** Bytes for people, in powers of 1024, such as `1.2Mi`. */
export function humanSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 1023.95 would be shown as 1024.0.
  while (value >= (unit === 0 ? 1024 : 1023.95) && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)}${UNITS[unit]}`;
}

/** Bytes that a backup takes in the repository; undefined if the agent told nothing. */
export function storedBytes(execution: Execution): number | undefined {
  const sizes = (execution.disks ?? [])
    .map((disk) => disk.storedBytes)
    .filter((bytes) => bytes !== undefined);
  return sizes.length === 0 ? undefined : sizes.reduce((sum, bytes) => sum + bytes, 0);
}

/** Whole seconds from the begin of an attempt to its end; undefined if it runs, or if the times make no sense. */
export function secondsOf({ startedAt, completedAt }: Execution): number | undefined {
  const milliseconds = Date.parse(completedAt ?? '') - Date.parse(startedAt);
  return Number.isFinite(milliseconds) && milliseconds >= 0 ? Math.round(milliseconds / 1000) : undefined;
}
