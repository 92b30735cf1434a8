import { UsageError } from './errors.ts';

const MILLISECONDS: ReadonlyMap<string, number> = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** `90s`, `10m`, `1h30m` → milliseconds. @throws UsageError */
export function parseDuration(text: string, name: string): number {
  const parts = [...text.matchAll(/(\d{1,9})([smh])/g)];
  const milliseconds = parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * (MILLISECONDS.get(unit!) ?? 0),
    0,
  );
  if (milliseconds > 0 && parts.map(([part]) => part).join('') === text) return milliseconds;
  throw new UsageError(
    'UsageError',
    `--${name} must be a length of time such as 10m or 1h30m, not "${text}"`,
  );
}
