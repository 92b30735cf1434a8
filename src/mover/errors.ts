/** How the mover ends. Documented in docs/mover.md; scripts and the agent rely on the numbers. */
export const ExitCode = {
  ok: 0,
  /** `verify` or `inspect` found something missing or wrong. */
  checkFailed: 1,
  usage: 2,
  /** The NBD server refused, failed, lied or went away. */
  source: 3,
  /** The repository or the restore's target cannot be written, or is full. */
  target: 4,
  /** SIGTERM, SIGINT, or the agent died. */
  aborted: 5,
  /** The parent of an incremental is missing, damaged, or does not fit. */
  parent: 6,
  /** A fault of the mover itself. */
  internal: 70,
} as const;
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** Everything the mover throws on purpose. `reason` is PascalCase and stable; the message is for people. */
export abstract class MoverError extends Error {
  readonly reason: string;
  abstract readonly exitCode: ExitCode;
  /** The volume being moved, when one was. Set on the way up by whoever knows it. */
  volume: string | null = null;

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = reason;
    this.reason = reason;
  }
}

/** The command line or the job cannot be understood, or asks for what there is not (yet). */
export class UsageError extends MoverError {
  readonly exitCode = ExitCode.usage;
}

/** The mover was told to stop: a signal, or the end of standard input. */
export class Aborted extends MoverError {
  readonly exitCode = ExitCode.aborted;

  constructor(why: string) {
    super('Aborted', `stopped before the end: ${why}`);
  }
}

/** What is in the repository is not what should be there. */
export class CheckFailed extends MoverError {
  readonly exitCode = ExitCode.checkFailed;
}

/** The parent cannot carry an incremental: take a full instead. */
export class ParentError extends MoverError {
  readonly exitCode = ExitCode.parent;
}

/** Throws the signal's reason if it has been aborted. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw abortReason(signal);
}

/** The error a signal was aborted with, as one of ours. */
export function abortReason(signal: AbortSignal): MoverError {
  return signal.reason instanceof MoverError ? signal.reason : new Aborted(String(signal.reason));
}
