import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { readFile } from 'node:fs/promises';

/** One of our programs, run as a process of its own. */
export interface Program extends AsyncDisposable {
  readonly pid: number;
  /** All it has logged so far. */
  log(): Promise<string>;
  /** Sends a signal, and resolves when the process is gone (at once for SIGSTOP and SIGCONT). */
  kill(signal: NodeJS.Signals): Promise<void>;
}

/** Starts a program; its log goes to a file. It dies with us. */
export function startProgram(argv: readonly string[], logFile: string): Program {
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const kill = async (signal: NodeJS.Signals) => {
    if (running(child)) child.kill(signal);
    if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') await ended;
  };
  return {
    pid: child.pid ?? 0,
    log: () => readFile(logFile, 'utf8'),
    kill,
    async [Symbol.asyncDispose]() {
      if (running(child)) {
        child.kill('SIGTERM');
        const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
        await ended;
        clearTimeout(hard);
      }
      log.end();
    },
  };
}

function running(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null;
}
