import { fractionOf } from '../short-hash.ts';

const RANDOM = /^@(hourly|daily|weekly|monthly|yearly)-random$/;

/**
 * A schedule as cron understands it: `@daily-random` and its like become a slot of their own, always the same for the same UID,
 * so that a hundred schedules that say the same do not come at the same minute. Anything else is given back as it is. No slot
 * falls on a day that some months do not have.
 */
export function effectiveSchedule(schedule: string, uid: string): string {
  const period = RANDOM.exec(schedule)?.[1];
  if (period === undefined) return schedule;
  const pick = (what: string, from: number, count: number) =>
    String(from + Math.floor(fractionOf(uid, what) * count));
  const minute = pick('minute', 0, 60);
  const hour = pick('hour', 0, 24);
  switch (period) {
    case 'hourly':
      return `${minute} * * * *`;
    case 'daily':
      return `${minute} ${hour} * * *`;
    case 'weekly':
      return `${minute} ${hour} * * ${pick('weekday', 0, 7)}`;
    case 'monthly':
      return `${minute} ${hour} ${pick('day', 1, 28)} * *`;
    default:
      return `${minute} ${hour} ${pick('day', 1, 28)} ${pick('month', 1, 12)} *`;
  }
}

/** How many whole seconds after its slot a VM begins: always the same for the same VM of the same schedule. */
export function offsetSeconds(uid: string, vmName: string, spreadSeconds: number): number {
  return Math.floor(fractionOf(uid, vmName) * spreadSeconds);
}
