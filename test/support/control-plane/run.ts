import { spawn } from 'node:child_process';
import { ControlPlaneError } from './errors.ts';

export interface RunOptions {
  /** Written to the command's standard input, which is empty otherwise. */
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/**
 * Runs a command to its end and returns what it printed.
 *
 * @throws ControlPlaneError `CommandFailed` with what it wrote to standard error, when it exits with another
 *   status than 0 or is ended by a signal.
 */
export async function run(
  command: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const child = spawn(command, args, {
    env: { ...process.env, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.signal && { signal: options.signal }),
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  child.stdin.on('error', () => {}); // a command that does not read its input may be gone already: its status tells
  child.stdin.end(options.stdin ?? '');
  const ended = Promise.withResolvers<string>();
  child.on('error', ended.reject);
  child.on('close', (code, signal) => ended.resolve(signal ?? String(code)));
  const status = await ended.promise;
  if (status === '0') return stdout;
  const line = [command, ...args].join(' ');
  throw new ControlPlaneError(
    'CommandFailed',
    `${line}\nended with ${status}: ${stderr.trim() || stdout.trim()}`,
  );
}
