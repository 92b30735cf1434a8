import type { Progress, ProgressMeter } from './report.ts';
import { throttled } from './report.ts';
import type { World } from './world.ts';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length - 1);
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

const two = (n: number): string => String(n).padStart(2, '0');

/** `3725` → `1h02m05s`, `65` → `1m05s`, `5` → `5s`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  if (h > 0) return `${h}h${two(m)}m${two(s)}s`;
  return m > 0 ? `${m}m${two(s)}s` : `${s}s`;
}

/** One line of progress: bar, share, rate over the whole run, time left at that rate. */
export function formatProgress(progress: Progress, elapsedMilliseconds: number): string {
  const { volume, phase, bytesDone, bytesTotal, bytesRead } = progress;
  const share = bytesTotal === 0 ? 1 : bytesDone / bytesTotal;
  const full = Math.round(share * 24);
  const bar = `${'█'.repeat(full)}${'░'.repeat(24 - full)}`;
  const perSecond = elapsedMilliseconds > 0 ? (bytesRead * 1000) / elapsedMilliseconds : 0;
  const left =
    share > 0 && share < 1
      ? `, ${formatSeconds((elapsedMilliseconds * (1 - share)) / share / 1000)} left`
      : '';
  const percent = String(Math.floor(share * 100)).padStart(3);
  return `${volume} ${phase} ${bar} ${percent}% ${formatBytes(bytesRead)} read, ${formatBytes(perSecond)}/s${left}`;
}

/** Progress as the caller wants it: JSON lines for programs, a bar on a terminal, a line every ten seconds in a log. */
export function progressMeter(world: World, json: boolean): ProgressMeter {
  const now = (): number => world.now().getTime();
  if (json) return throttled((progress) => writeJson(world, { event: 'progress', ...progress }), now);
  const start = now();
  const line = (progress: Progress): string => formatProgress(progress, now() - start);
  if (world.stderr.isTTY)
    return throttled((progress) => world.stderr.write(`\r${line(progress)}\x1b[K`), now);
  return throttled((progress) => world.stderr.write(`${line(progress)}\n`), now, 10_000);
}

export function writeJson(world: World, event: object): void {
  world.stdout.write(`${JSON.stringify(event)}\n`);
}

/** A result: one JSON line, or the words for people. */
export function writeResult(world: World, json: boolean, result: object, words: string): void {
  // Leave the progress bar's line behind.
  if (world.stderr.isTTY && !json) world.stderr.write('\r\x1b[K');
  if (json) writeJson(world, result);
  else world.stdout.write(`${words}\n`);
}

/** Columns as wide as they need to be. */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
