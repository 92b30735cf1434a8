import { z } from 'zod';
import { Message, Reason, Time } from './api.ts';

/** As many ended attempts as `status.attempts` holds. */
export const MOST_ATTEMPT_RECORDS = 24;

/** What came of one attempt that is over. */
export const AttemptRecord = z.object({
  attempt: z.int().min(1).max(1000).describe('Its number.'),
  node: z.string().max(253).describe('The node that it was planned for.'),
  startedAt: Time.optional().describe('When the agent took it up; left out if it never did.'),
  endedAt: Time.describe('When it ended, or was given up.'),
  recordedAt: Time.optional().describe(
    'When the controller heard of that, by its own clock: the wait for the next attempt begins here, however wrong the clock of a node is.',
  ),
  reason: Reason.describe('Succeeded, or what ended it.'),
  message: Message.describe('The same in a sentence, with what to do.'),
});
export type AttemptRecord = z.infer<typeof AttemptRecord>;
