import { z } from 'zod';
import { cel, listSet } from './api.ts';

/** A time of day, `22:00`. */
const TimeOfDay = z
  .string()
  .min(5)
  .max(5)
  .meta(
    cel({
      rule: "self.matches('^([01][0-9]|2[0-3]):[0-5][0-9]$')",
      message: "write a time of day as hours and minutes, for example '22:00'",
    }),
  );

/** When backups may begin. */
export const Window = z
  .object({
    start: TimeOfDay.describe('From this time of day on.'),
    end: TimeOfDay.describe('Up to this time of day; on the next day if it is not after the start.'),
    timeZone: z
      .string()
      .min(1)
      .max(64)
      .default('UTC')
      .describe("The time zone of both, by its IANA name, for example 'Europe/Berlin'."),
    days: z
      .array(z.enum(['Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat', 'Sun']))
      .min(1)
      .max(7)
      .meta(listSet)
      .optional()
      .describe('The days on which the window opens; every day when left out.'),
  })
  .meta(
    cel({
      rule: 'self.start != self.end',
      message: 'a window that ends when it starts is no window: leave it out to allow every time',
    }),
  );
export type Window = z.infer<typeof Window>;
