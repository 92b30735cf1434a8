import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** One of our programs, run as a process of its own. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** All it has logged so far. */
  log(): Promise<string>;
  /** Sends a signal, and resolves when the process is gone for good (at once for SIGSTOP and SIGCONT). */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a program; its log goes to a file. It dies with us.
 *
 * @param restartAfterMs one that ends by itself is started again after so long, as a kubelet does; never when left out
 */
export function startProgram(argv: readonly string[], logFile: string, restartAfterMs?: number): Program {
  const log = createWriteStream(logFile, { flags: 'a' });
  let isWanted = true;
  let restart: NodeJS.Timeout | undefined;
  let child: ChildProcess;
  let ended: Promise<void>;
  const start = () => {
    child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    ended = new Promise<void>((resolve) => {
      child.once('close', () => resolve());
      child.once('error', () => resolve());
    });
    child.once('close', () => {
      if (isWanted && restartAfterMs !== undefined) restart = setTimeout(start, restartAfterMs);
    });
  };
  start();
  const end = async (signal: NodeJS.Signals) => {
    isWanted = false;
    clearTimeout(restart);
    if (running(child)) child.kill(signal);
    await ended;
  };
  return {
    get pid() {
      return child.pid ?? 0;
    },
    log: () => readFile(logFile, 'utf8'),
    async kill(signal) {
      if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') return end(signal);
      if (running(child)) child.kill(signal);
    },
    async [Symbol.asyncDispose]() {
      const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
      await end('SIGTERM');
      clearTimeout(hard);
      log.end();
    },
  };
}

function running(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
