import type { ProgressEvent } from '../domain/mover-report.ts';

export type Progress = Omit<ProgressEvent, 'event'>;
/** Takes note of progress, as often as the mover likes; what becomes of it is the listener's affair. */
export type ProgressMeter = (progress: Progress) => void;

/** Lets through the first report of each volume and phase, then one of each volume in every interval: two a second if none is given. */
export function throttled(
  report: ProgressMeter,
  now: () => number,
  intervalMilliseconds = 500,
): ProgressMeter {
  /** By volume, because several are copied at the same time. */
  const last = new Map<string, { readonly phase: string; readonly at: number }>();
  return (progress) => {
    const before = last.get(progress.volume);
    const at = now();
    if (before?.phase === progress.phase && at - before.at < intervalMilliseconds) return;
    last.set(progress.volume, { phase: progress.phase, at });
    report(progress);
  };
}
