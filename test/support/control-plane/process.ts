import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { ControlPlaneError } from './errors.ts';

/** The processes a cluster can have, in the order in which they start. */
export type ProcessName = 'etcd' | 'kube-apiserver' | 'kube-controller-manager';

/** A program that runs until it is told to stop. */
export interface Command {
  readonly name: ProcessName;
  readonly program: string;
  readonly args: readonly string[];
  /** Everything it prints is appended here, over restarts. */
  readonly logFile: string;
}

/** One running (or ended) process of a command. */
export interface RunningProcess {
  readonly command: Command;
  readonly pid: number;
  hasEnded(): boolean;
  /** Sends a signal; nothing happens when the process has ended. */
  send(signal: NodeJS.Signals): void;
  /** Ends it at once with SIGKILL (a stopped process too) and waits until it is gone. */
  end(): Promise<void>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
}

/**
 * Starts a command. The kernel kills it when we die, even by SIGKILL: `setpriv --pdeathsig` asks for that and then
 * becomes the program, so the pid is the program's own.
 */
export async function startProcess(command: Command): Promise<RunningProcess> {
  const log = openSync(command.logFile, 'a');
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', command.program, ...command.args], {
    stdio: ['ignore', log, log],
  });
  closeSync(log);
  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new ControlPlaneError('ProcessExited', `${command.name} has no process id`);
  const ended = Promise.withResolvers<void>();
  child.once('exit', () => ended.resolve());
  return {
    command,
    pid,
    ended: ended.promise,
    hasEnded: () => hasEnded(child),
    send: (signal) => void child.kill(signal),
    end: async () => {
      child.kill('SIGKILL');
      await ended.promise;
    },
  };
}

/** @throws ControlPlaneError `ProcessExited` with the end of its log, when the process is gone. */
export async function assertAlive(process: RunningProcess): Promise<void> {
  if (!process.hasEnded()) return;
  const { name, logFile } = process.command;
  const log = await readFile(logFile, 'utf8');
  const tail = log.trimEnd().split('\n').slice(-15).join('\n');
  throw new ControlPlaneError('ProcessExited', `${name} has exited; the end of ${logFile}:\n${tail}`);
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
