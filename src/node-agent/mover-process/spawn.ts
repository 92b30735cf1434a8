import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { ErrorEvent } from '../../domain/mover-report.ts';
import { type Place, commandAt } from '../repository/place.ts';

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
  /** One line for its standard input, which stays open while we live: its end tells the mover that the agent is gone. */
  readonly job?: string;
  /** Called for every line of JSON that the mover says. */
  readonly onEvent?: (event: unknown) => void;
  /** Killed when it says nothing for so long, in milliseconds. */
  readonly stallMs: number;
}

/** Bytes of standard error that are kept for the message. */
const STDERR_KEPT = 2048;
/** After SIGTERM the mover has so long, in milliseconds, to clean up. A mover stuck on a dead server is then left to the kernel. */
const TERM_GRACE_MS = 5_000;

/**
 * Runs one mover to its end, and resolves to its last `result` event.
 *
 * @throws MoverFailed with the mover's reason; `MoverStalled` if it fell silent; `MoverDied` if it ended without a word;
 *   the signal's reason if that aborted the run.
 */
export async function runMover(run: MoverRun, signal: AbortSignal): Promise<unknown> {
  signal.throwIfAborted();
  const [file, ...args] = commandAt(run.place, [...run.mover, ...run.args, '--json']);
  // A process group of its own: `mount` starts helpers that must die with it.
  const child = spawn(file!, args, {
    detached: true,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: moverEnvironment(),
  });
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, killedBy) => resolve({ code, signal: killedBy }));
  });
  const stderr = tail(child.stderr);
  let last: unknown;
  let stalled = false;
  const kill = () => killGroup(child.pid, ended);
  const stall = setTimeout(() => {
    stalled = true;
    kill();
  }, run.stallMs);
  signal.addEventListener('abort', kill, { once: true });
  child.stdin.on('error', () => undefined); // it died before it read its job: the exit says so
  if (run.job !== undefined) child.stdin.write(`${run.job}\n`);
  createInterface({ input: child.stdout }).on('line', (line) => {
    stall.refresh();
    const event = parseLine(line);
    if (event === undefined) return;
    last = event;
    run.onEvent?.(event);
  });
  try {
    const end = await ended;
    signal.throwIfAborted();
    if (stalled)
      throw new MoverFailed(
        'MoverStalled',
        `The mover made no progress for ${run.stallMs / 1000} s; it was stopped.`,
      );
    if (end.code === 0 && last !== undefined) return last;
    const error = ErrorEvent.safeParse(last);
    if (error.success) throw new MoverFailed(error.data.reason, error.data.message, error.data.volume);
    // `verify` and `inspect` end with 1 and a result that says why.
    if (end.code === 1 && last !== undefined) return last;
    throw new MoverFailed(
      'MoverDied',
      `The mover ended with ${end.signal ?? `exit code ${end.code}`}: ${stderr() || 'it said nothing'}`,
    );
  } finally {
    clearTimeout(stall);
    signal.removeEventListener('abort', kill);
    child.stdin.destroy();
  }
}

function killGroup(pid: number | undefined, ended: Promise<unknown>): void {
  if (pid === undefined) return;
  signalGroup(pid, 'SIGTERM');
  const hard = setTimeout(() => signalGroup(pid, 'SIGKILL'), TERM_GRACE_MS);
  const settle = () => clearTimeout(hard);
  ended.then(settle, settle);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
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
