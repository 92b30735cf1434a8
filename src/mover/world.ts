import type { Readable, Writable } from 'node:stream';

/** What a command takes from outside: streams, clock, randomness. One for the process, others in tests. */
export interface World {
  readonly stdin: Readable;
  /** JSON lines and tables. */
  readonly stdout: Writable;
  /** Progress and errors for people. */
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly now: () => Date;
  readonly randomId: () => string;
  readonly randomBytes: (bytes: number) => Buffer;
  /** Stops the command: a signal, or for a job the end of standard input. */
  readonly abort: AbortController;
}
