/** What day, week, month an instant belongs to in a time zone. */
export interface Calendar {
  readonly hour: (instant: number) => string;
  readonly day: (instant: number) => string;
  /** The ISO week, such as `2026-W01`: its year is that of its Thursday. */
  readonly week: (instant: number) => string;
  readonly month: (instant: number) => string;
  readonly year: (instant: number) => string;
}

/** The calendar of an IANA time zone. @throws RangeError if there is no such zone */
export function calendarOf(timeZone: string): Calendar {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    calendar: 'gregory',
    ...{ year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', timeZoneName: 'longOffset' },
  });
  const partsOf = (instant: number): Readonly<Record<string, string>> =>
    Object.fromEntries(format.formatToParts(instant).map(({ type, value }) => [type, value]));
  const month = (instant: number): string => {
    const parts = partsOf(instant);
    return `${parts['year']}-${parts['month']}`;
  };
  const day = (instant: number): string => `${month(instant)}-${partsOf(instant)['day']}`;
  return {
    month,
    day,
    year: (instant) => month(instant).split('-')[0]!,
    // With the offset: when clocks are set back, one hour comes twice.
    hour: (instant) => {
      const parts = partsOf(instant);
      return `${day(instant)}T${parts['hour']} ${parts['timeZoneName']}`;
    },
    week: (instant) => isoWeek(day(instant)),
  };
}

const DAY_MS = 86_400_000;

function isoWeek(day: string): string {
  const date = new Date(`${day}T00:00:00Z`);
  const thursday = new Date(date.getTime() + (4 - (date.getUTCDay() || 7)) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const week = Math.floor((thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS / 7) + 1;
  return `${year}-W${String(week).padStart(2, '0')}`;
}
