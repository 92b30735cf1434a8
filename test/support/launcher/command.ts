import { spawn } from 'node:child_process';

/** A program ended with another code than 0, or could not be started. `stderr` holds what it said. */
export class CommandFailed extends Error {
  readonly reason = 'CommandFailed';
  readonly argv: readonly string[];
  readonly code: number | string | null;
  readonly stderr: string;

  constructor(argv: readonly string[], code: number | string | null, stderr: string, cause?: unknown) {
    super(`${argv.join(' ')} ended with ${code}: ${stderr.trim()}`, { cause });
    this.name = 'CommandFailed';
    this.argv = argv;
    this.code = code;
    this.stderr = stderr;
  }
}

export interface CommandOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, in the C locale. Throws CommandFailed unless it exits with 0. */
export function run(
  argv: readonly string[],
  options: { readonly input?: string; readonly signal?: AbortSignal } = {},
): Promise<CommandOutput> {
  const [program = '', ...args] = argv;
  const { promise, resolve, reject } = Promise.withResolvers<CommandOutput>();
  const child = spawn(program, args, {
    env: { ...process.env, LC_ALL: 'C' },
    stdio: 'pipe',
    ...(options.signal && { signal: options.signal, killSignal: 'SIGKILL' as const }),
  });
  const stdout: Buffer[] = [];
  const stderr: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
  child.on('error', (error) => reject(new CommandFailed(argv, null, error.message, error)));
  child.on('close', (code, signal) => {
    const output = { stdout: Buffer.concat(stdout).toString(), stderr: Buffer.concat(stderr).toString() };
    if (code === 0) resolve(output);
    else reject(new CommandFailed(argv, code ?? signal, output.stderr || output.stdout));
  });
  // A program may end before it has read its input: its exit code tells the story, not EPIPE.
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  return promise;
}
