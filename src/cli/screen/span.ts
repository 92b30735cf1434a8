const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A span of time in one number, as kubectl shows ages: `45s`, `12m`, `36h`, `5d`. Milliseconds. */
export function span(milliseconds: number): string {
  const ms = Math.max(0, milliseconds);
  if (ms < 2 * MINUTE) return `${Math.floor(ms / SECOND)}s`;
  if (ms < 2 * HOUR) return `${Math.floor(ms / MINUTE)}m`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)}h`;
  return `${Math.floor(ms / DAY)}d`;
}

/** `3h ago`, of an RFC 3339 time; `now` in milliseconds since the epoch. */
export function ago(time: string, now: number): string {
  return `${span(now - Date.parse(time))} ago`;
}

/** `in 9h`, of an RFC 3339 time; `now` in milliseconds since the epoch. */
export function until(time: string, now: number): string {
  return `in ${span(Date.parse(time) - now)}`;
}
