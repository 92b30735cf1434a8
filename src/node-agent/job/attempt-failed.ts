/** An attempt cannot go on. It is reported in `status.execution.error`, and the controller decides whether to try again. */
export class AttemptFailed extends Error {
  readonly reason: string;
  /** Whether trying again is useless before a person has acted. */
  readonly final: boolean;

  constructor(reason: string, message: string, options: { final?: boolean; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = 'AttemptFailed';
    this.reason = reason;
    this.final = options.final ?? false;
  }
}

/** Someone else holds the VM: nothing was begun, nothing failed; look again later. */
export class NotYet extends Error {
  readonly reason: string;
  /** When to look again, in milliseconds. */
  readonly afterMs: number;

  constructor(reason: string, message: string, afterMs: number) {
    super(message);
    this.name = 'NotYet';
    this.reason = reason;
    this.afterMs = afterMs;
  }
}

/** The stable word for any error: its own `reason`, or `Unexpected`. */
export function reasonOf(error: unknown): string {
  return error instanceof Error && 'reason' in error && typeof error.reason === 'string'
    ? error.reason
    : 'Unexpected';
}
