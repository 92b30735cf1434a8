import { humanSize } from '../../domain/columns.ts';
import { span } from './span.ts';

const BAR_WIDTH = 24;

/** How far a copy is. */
export interface Progress {
  readonly percent: number;
  readonly doneBytes: number;
  readonly totalBytes: number;
  readonly bytesPerSecond?: number | undefined;
}

/** A bar, the share, the amounts, and once there is a rate, the time left. */
export function barOf({ percent, doneBytes, totalBytes, bytesPerSecond }: Progress): string {
  const full = Math.round((percent / 100) * BAR_WIDTH);
  const bar = '█'.repeat(full) + '░'.repeat(BAR_WIDTH - full);
  const amount = `${humanSize(doneBytes)} of ${humanSize(totalBytes)}`;
  if (bytesPerSecond === undefined || bytesPerSecond === 0) return `${bar} ${percent}%  ${amount}`;
  const leftMs = ((totalBytes - doneBytes) / bytesPerSecond) * 1000;
  return `${bar} ${percent}%  ${amount}, ${humanSize(bytesPerSecond)}/s, ${span(leftMs)} left`;
}
