import type { ProgressEvent } from '../domain/mover-report.ts';

export type Progress = Omit<ProgressEvent, 'event'>;
/** Takes note of progress, as often as the mover likes; what becomes of it is the listener's affair. */
export type ProgressMeter = (progress: Progress) => void;

/** Lets through the first report of each volume and phase, then one in every interval: two a second if none is given. */
export function throttled(
  report: ProgressMeter,
  now: () => number,
  intervalMilliseconds = 500,
): ProgressMeter {
  let lastKey = '';
  let lastAt = 0;
  return (progress) => {
    const key = `${progress.phase} ${progress.volume}`;
    const at = now();
    if (key === lastKey && at - lastAt < intervalMilliseconds) return;
    lastKey = key;
    lastAt = at;
    report(progress);
  };
}
