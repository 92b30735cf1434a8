import type { Execution } from '../../crds/vmbackup.ts';
import type { ProgressEvent } from '../../domain/mover-report.ts';

/**
 * Sums what the mover said of each volume. Volumes that it has not come to are counted as if each were as large as those
 * that it has, so that the percentage does not jump back.
 */
export function progressOf(
  events: readonly ProgressEvent[],
  volumes: number,
  elapsedMs: number,
): NonNullable<Execution['progress']> {
  const doneBytes = sum(events.map(({ bytesDone }) => bytesDone));
  const known = sum(events.map(({ bytesTotal }) => bytesTotal));
  const totalBytes =
    events.length === 0 ? 0 : Math.round((known / events.length) * Math.max(volumes, events.length));
  const percent = totalBytes === 0 ? 0 : Math.min(99, Math.floor((100 * doneBytes) / totalBytes));
  const seconds = elapsedMs / 1000;
  const rate =
    seconds > 0
      ? { bytesPerSecond: Math.round(sum(events.map(({ bytesRead }) => bytesRead)) / seconds) }
      : {};
  return { percent, doneBytes, totalBytes, ...rate };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
