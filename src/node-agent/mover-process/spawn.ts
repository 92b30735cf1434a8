import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ErrorEvent } from '../../domain/mover-report.ts';
import type { Credentials } from '../repository/credentials.ts';
import { mountFailure, type MountOutcome } from '../repository/mount-failure.ts';
import { commandAt, MOUNTED } from '../repository/mount-command.ts';
import type { Place } from '../repository/place.ts';
import { type End, type Patience, startGroup } from './process-group.ts';

/** A mover that did not do what it was asked; `reason` is the mover's own, or says how the process ended. */
export class MoverFailed extends Error {
  readonly reason: string;
  /** The volume that it was at work on, if it said so. */
  readonly volume: string | null;

  constructor(reason: string, message: string, volume: string | null = null) {
    super(message);
    this.name = 'MoverFailed';
    this.reason = reason;
    this.volume = volume;
  }
}

export interface MoverRun {
  /** How a mover is started, without its arguments. */
  readonly mover: readonly string[];
  readonly place: Place;
  readonly args: readonly string[];
  /** What the mount needs to know. */
  readonly credentials?: Credentials | undefined;
  /** One line for its standard input, which stays open while we live: its end tells the mover that the agent is gone. */
  readonly job?: string;
  /** Called for every line of JSON that the mover says. */
  readonly onEvent?: (event: unknown) => void;
  /** Stopped when it says nothing for so long, in milliseconds. Mounting counts, too. */
  readonly stallMs: number;
  /** How long it may take to stop. */
  readonly patience?: Patience;
}

/** What to do about silence. */
const LOOK = "look at the repository's server and at the network between it and this node";

/** Bytes of standard error that are kept for the message. */
const STDERR_KEPT = 2048;
const PATIENCE: Patience = { termMs: 5_000, killMs: 2_000 };

/**
 * Runs one mover to its end, and resolves to its last `result` event.
 *
 * @throws MoverFailed with the mover's reason; `Mount…` if the repository could not be mounted ({@link mountFailure});
 *   `MoverStalled` if it fell silent; `MoverUnkillable` if it did and the kernel keeps it; `MoverDied` if it ended without a
 *   word; the signal's reason if that aborted the run.
 */
export async function runMover(run: MoverRun, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const credentials = (await run.credentials?.(signal)) ?? [];
  const command = commandAt(run.place, [...run.mover, ...run.args, '--json']);
  const { child, ended, stop } = startGroup(command, moverEnvironment(), run.patience ?? PATIENCE);
  const stderr = tail(child.stderr);
  let mounted = run.place.kind === 'Mounted';
  let last: unknown;
  let stalled = false;
  const stall = setTimeout(() => {
    stalled = true;
    stop();
  }, run.stallMs);
  signal.addEventListener('abort', stop, { once: true });
  child.stdin.on('error', () => undefined); // it died before it read its job: the exit says so
  if (run.place.kind === 'ToMount' && run.place.needsCredentials)
    child.stdin.write(`${credentials.join('\n')}\n\n`);
  if (run.job !== undefined) child.stdin.write(`${run.job}\n`);
  createInterface({ input: child.stdout }).on('line', (line) => {
    stall.refresh();
    if (!mounted && line === MOUNTED) {
      mounted = true;
      return;
    }
    const event = parseLine(line);
    if (event === undefined) return;
    last = event;
    run.onEvent?.(event);
  });
  try {
    const end = await ended.catch((error: Error) => {
      // The kernel starts no program whose file capabilities it cannot grant.
      throw run.place.kind === 'ToMount' ? mountFailed(run.place, `unshare: ${error.message}`) : error;
    });
    if (last !== undefined && isAnswer(end)) return last;
    signal.throwIfAborted();
    if (stalled && (mounted || end.kind === 'Abandoned')) throw stallFailure(run.stallMs, end);
    if (!mounted && run.place.kind === 'ToMount')
      throw mountFailed(run.place, stalled ? { silentMs: run.stallMs } : stderr());
    const error = ErrorEvent.safeParse(last);
    if (error.success) throw new MoverFailed(error.data.reason, error.data.message, error.data.volume);
    // `verify` and `inspect` end with 1 and a result that says why.
    if (end.kind === 'Exited' && end.code === 1 && last !== undefined) return last;
    const how = end.kind === 'Exited' ? (end.signal ?? `exit code ${end.code}`) : 'no end';
    throw new MoverFailed('MoverDied', `The mover ended with ${how}: ${stderr() || 'it said nothing'}`);
  } finally {
    clearTimeout(stall);
    signal.removeEventListener('abort', stop);
    child.stdin.destroy();
  }
}

/** Whether it ended well by itself: then its last word counts, even if it was told to stop in that very moment. */
function isAnswer(end: End): boolean {
  return end.kind === 'Exited' && end.code === 0;
}

function mountFailed(place: Extract<Place, { kind: 'ToMount' }>, outcome: MountOutcome): MoverFailed {
  const { reason, message } = mountFailure(place, outcome);
  return new MoverFailed(reason, message);
}

function stallFailure(stallMs: number, end: End): MoverFailed {
  const silent = `The mover made no progress for ${stallMs / 1000} s`;
  if (end.kind === 'Exited') return new MoverFailed('MoverStalled', `${silent}, and was stopped: ${LOOK}.`);
  return new MoverFailed(
    'MoverUnkillable',
    `${silent}, and cannot be killed while the repository's server does not answer: bring the server back, ` +
      `and process ${end.pid} on this node ends by itself. Nothing waits for it.`,
  );
}

function parseLine(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // not ours: a library's warning, say
  }
}

function tail(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text = (text + chunk).slice(-STDERR_KEPT);
  });
  return () => text.trim();
}

/** The mover needs no credentials of ours. */
function moverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env['PATH'], LC_ALL: 'C', NODE_OPTIONS: '' };
}
