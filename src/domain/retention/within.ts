/** What `keepWithin` looks like: years, months, weeks, days, hours, in this order, at least one of them. */
export const WITHIN_PATTERN = '^([0-9]{1,4}y)?([0-9]{1,4}m)?([0-9]{1,4}w)?([0-9]{1,4}d)?([0-9]{1,5}h)?$';

const parts = new RegExp(WITHIN_PATTERN);

/**
 * The instant so long before another, by the calendar: a year is a year, leap or not. Undefined if the text cannot be understood.
 * @param within such as `1y6m` or `30d`
 */
export function instantBefore(instant: number, within: string): number | undefined {
  const match = within === '' ? null : parts.exec(within);
  if (match === null) return undefined;
  const [years, months, weeks, days, hours] = match.slice(1).map((part) => Number.parseInt(part ?? '0', 10));
  const date = new Date(instant);
  const day = date.getUTCDate();
  date.setUTCDate(1);
  date.setUTCMonth(date.getUTCMonth() - (years ?? 0) * 12 - (months ?? 0));
  // The month before the 31st of March has no 31st: its last day then.
  date.setUTCDate(Math.min(day, daysIn(date)));
  return date.getTime() - (((weeks ?? 0) * 7 + (days ?? 0)) * 24 + (hours ?? 0)) * 3_600_000;
}

function daysIn(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}
