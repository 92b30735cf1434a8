import type { Window } from '../crds/window.ts';
import { parseSchedule } from './schedule/cron.ts';

/** Whether a window is open; `opensAt` in milliseconds since the epoch. */
export type WindowState =
  | { readonly kind: 'Open' }
  | { readonly kind: 'Closed'; readonly opensAt: number }
  /** Its time zone is not known. */
  | { readonly kind: 'Invalid'; readonly message: string };

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'] as const;

/**
 * Whether a window is open at an instant. Its start and its end are slots of two schedules, so a change of the clocks does to
 * them what it does to schedules: 02:30 on the day without it is 03:00.
 */
export function windowAt({ start, end, timeZone, days }: Window, now: number): WindowState {
  const opening = days?.map((day) => DAYS.indexOf(day));
  const opens = parseSchedule(daily(start, opening), timeZone);
  if (opens.kind === 'Invalid') return { kind: 'Invalid', message: `window: ${opens.message}` };
  const overnight = end <= start;
  const closing = overnight ? opening?.map((day) => (day + 1) % 7) : opening;
  const closes = parseSchedule(daily(end, closing), timeZone);
  if (closes.kind === 'Invalid') return { kind: 'Invalid', message: `window: ${closes.message}` };
  const opened = opens.slots.lastUpTo(now);
  const closed = closes.slots.lastUpTo(now);
  if (opened !== undefined && (closed === undefined || opened > closed)) return { kind: 'Open' };
  return { kind: 'Closed', opensAt: opens.slots.nextAfter(now) ?? now };
}

/** `22:00` on some days of the week, or on all, as cron. */
function daily(time: string, days: readonly number[] | undefined): string {
  const [hour, minute] = time.split(':').map(Number);
  return `${minute} ${hour} * * ${days === undefined ? '*' : days.join(',')}`;
}
