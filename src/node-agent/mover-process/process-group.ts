import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';

/** How a child ended. `Abandoned`: it is still there, whatever was done to it, and nobody waits for it any more. */
export type End =
  | { readonly kind: 'Exited'; readonly code: number | null; readonly signal: NodeJS.Signals | null }
  | { readonly kind: 'Abandoned'; readonly pid: number };

/** How long a child that is told to stop may take. */
export interface Patience {
  /** From SIGTERM to SIGKILL, in milliseconds: time to clean up. */
  readonly termMs: number;
  /** From SIGKILL until it is abandoned, in milliseconds; also how long its pipes may stay open after its exit. */
  readonly killMs: number;
}

export interface ProcessGroup {
  readonly child: ChildProcessWithoutNullStreams;
  /** Resolves when it has ended, or cannot be made to. Rejects when it could not be started. */
  readonly ended: Promise<End>;
  /** SIGTERM, then SIGKILL, then nobody waits any longer. Safe to call again. */
  readonly stop: () => void;
}

/**
 * Starts a command in a process group of its own: `mount` starts helpers that must die with it.
 *
 * Not even SIGKILL ends a process that waits in the kernel for an NFS server to take its data (state D), and until it is
 * gone it keeps its pipes and its entry in the process table. So whoever waits for `close` waits for the server. Here the
 * waiting has an end: the signal stays pending, and the process dies by itself when the kernel lets go of it.
 *
 * @param send signals a process group; a test may have one that nothing reaches
 */
export function startGroup(
  [file, ...args]: readonly string[],
  env: NodeJS.ProcessEnv,
  { termMs, killMs }: Patience,
  send: (pid: number, signal: NodeJS.Signals) => void = signalGroup,
): ProcessGroup {
  const child = spawn(file!, args, { detached: true, stdio: 'pipe', env });
  const { promise, resolve, reject } = Promise.withResolvers<End>();
  const timers = new Set<NodeJS.Timeout>();
  const after = (ms: number, act: () => void) => timers.add(setTimeout(act, ms));
  const exited = () => resolve({ kind: 'Exited', code: child.exitCode, signal: child.signalCode });
  const leave = () => {
    for (const stream of child.stdio) stream?.destroy();
    child.unref();
    if (child.exitCode !== null || child.signalCode !== null) exited();
    else resolve({ kind: 'Abandoned', pid: child.pid ?? 0 });
  };
  child.once('error', reject);
  // A helper that cannot die may hold the pipes open.
  child.once('exit', () => after(killMs, leave));
  child.once('close', exited);
  const ended = promise.finally(() => {
    for (const timer of timers) clearTimeout(timer);
  });
  let stopping = false;
  const stop = () => {
    if (stopping || child.pid === undefined) return;
    stopping = true;
    const { pid } = child;
    send(pid, 'SIGTERM');
    after(termMs, () => {
      send(pid, 'SIGKILL');
      after(killMs, leave);
    });
  };
  return { child, ended, stop };
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // gone already
  }
}
