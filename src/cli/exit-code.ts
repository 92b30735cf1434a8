/** How a command ends: 0 good, 1 it failed or what it checked is not as it should be, 2 it was called wrongly. */
export const ExitCode = { ok: 0, failed: 1, usage: 2 } as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The command line is wrong; the message says what to write instead. */
export class UsageError extends Error {
  readonly reason = 'UsageError';
  override readonly name = 'UsageError';
}
