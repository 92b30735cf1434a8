import { Cron } from 'croner';

/** The times of a schedule. Everything in milliseconds since the epoch; the same answers whenever asked. */
export interface Slots {
  /** The first slot after an instant (never the instant itself); undefined if there is none. */
  readonly nextAfter: (instantMs: number) => number | undefined;
  /** The last slot at or before an instant; undefined if there is none. */
  readonly lastUpTo: (instantMs: number) => number | undefined;
}

export type ParsedSchedule =
  | { readonly kind: 'Schedule'; readonly slots: Slots }
  | {
      readonly kind: 'Invalid';
      readonly reason: 'InvalidSchedule' | 'InvalidTimeZone';
      readonly message: string;
    };

/**
 * Reads five-field cron in a time zone. Around a change of the clocks (tested): a fixed time that the spring change skips
 * comes as soon as the clocks have changed (02:30 at 03:00); one that the autumn change repeats comes once, the first time;
 * steps such as `0,30 * * * *` go on without gap or double.
 */
export function parseSchedule(schedule: string, timeZone: string): ParsedSchedule {
  if (!isTimeZone(timeZone)) {
    const message = `timeZone '${timeZone}' is not known: write an IANA name, for example 'Europe/Berlin' or 'UTC'.`;
    return { kind: 'Invalid', reason: 'InvalidTimeZone', message };
  }
  if (/^\S+(\s+\S+){5}$/.test(schedule.trim()))
    return invalidSchedule(schedule, 'has six fields, and there is none for seconds here');
  let cron: Cron;
  try {
    cron = new Cron(schedule, { mode: '5-part', timezone: timeZone, paused: true });
  } catch (error) {
    return invalidSchedule(schedule, `cannot be read (${plain(error)})`);
  }
  const slots: Slots = {
    nextAfter: (instantMs) => cron.nextRun(new Date(instantMs))?.getTime(),
    // previousRuns is exclusive, and counts in whole seconds.
    lastUpTo: (instantMs) =>
      cron.previousRuns(1, new Date(Math.floor(instantMs / 1000) * 1000 + 1000))[0]?.getTime(),
  };
  return { kind: 'Schedule', slots };
}

/** The answer to a schedule that names a day that never comes, such as 31 February. */
export function neverRuns(schedule: string): ParsedSchedule & { readonly kind: 'Invalid' } {
  return invalidSchedule(schedule, 'never comes');
}

function invalidSchedule(schedule: string, why: string): ParsedSchedule & { readonly kind: 'Invalid' } {
  const form =
    "five fields, minute hour day-of-month month day-of-week, for example '0 2 * * *' for 02:00 each day";
  return {
    kind: 'Invalid',
    reason: 'InvalidSchedule',
    message: `schedule '${schedule}' ${why}: write ${form}.`,
  };
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

function plain(error: unknown): string {
  return error instanceof Error
    ? error.message.replace(/^CronPattern: /, '').replace(/\.$/, '')
    : String(error);
}
