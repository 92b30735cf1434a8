import { lengthOfTime } from '../domain/length-of-time.ts';
import { UsageError } from './errors.ts';

/** `90s`, `10m`, `1h30m` → milliseconds. @throws UsageError */
export function parseDuration(text: string, name: string): number {
  const milliseconds = lengthOfTime(text);
  if (milliseconds !== undefined) return milliseconds;
  throw new UsageError(
    'UsageError',
    `--${name} must be a length of time such as 10m or 1h30m, not "${text}"`,
  );
}
