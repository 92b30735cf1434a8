import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';

export const MOVER = [process.execPath, join(import.meta.dirname, '../../src/mover/main.ts')] as const;

/** A directory for one test file, and the processes started in it: all gone after `dispose`. */
export class Workshop implements AsyncDisposable {
  readonly path = mkdtempSync(join(tmpdir(), 'tidemark-qemu-'));
  readonly #children = new Set<ChildProcess>();

  at(...names: string[]): string {
    return join(this.path, ...names);
  }

  /** Runs a tool to its end; gives its standard output, throws if it fails. */
  tool(command: string, ...args: string[]): string {
    return execFileSync(command, args, {
      encoding: 'utf8',
      cwd: this.path,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  /** Serves an image read-only by a real qemu-nbd, as QEMU serves a pull backup. */
  async serve(image: string, format: 'raw' | 'qcow2', bitmap?: string): Promise<Served> {
    const socket = this.at(`s${this.#children.size}-${Date.now() % 100_000}`);
    const args = [
      '-t',
      '-r',
      '-e',
      '8',
      '-f',
      format,
      '-x',
      'vda',
      '-k',
      socket,
      ...(bitmap ? ['-B', bitmap] : []),
      image,
    ];
    const child = this.start('qemu-nbd', args);
    for (let i = 0; !existsSync(socket); i++) {
      if (i > 500 || child.exitCode !== null) throw new Error('qemu-nbd did not start');
      await sleep(20);
    }
    return {
      uri: `nbd+unix:///vda?socket=${socket}`,
      child,
      [Symbol.asyncDispose]: async () => await stop(child),
    };
  }

  start(command: string, args: readonly string[], stdio: 'ignore' | 'pipe' = 'ignore'): ChildProcess {
    const child = spawn(command, args, { stdio, cwd: this.path });
    this.#children.add(child);
    return child;
  }

  /** Runs the mover as a process of its own, as a person or the agent does. */
  async mover(...args: string[]): Promise<Finished> {
    return await finish(this.start(MOVER[0], [MOVER[1], ...args], 'pipe'));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await stop(child);
    rmSync(this.path, { recursive: true, force: true });
  }
}

export interface Served extends AsyncDisposable {
  readonly uri: string;
  readonly child: ChildProcess;
}

export interface Finished {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function finish(child: ChildProcess): Promise<Finished> {
  let stdout = '';
  let stderr = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, stdout, stderr };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGKILL');
  await closed;
}

/** The last JSON line of a run. */
export function lastEvent({ stdout }: Finished): Readonly<Record<string, unknown>> {
  return z.record(z.string(), z.unknown()).parse(JSON.parse(stdout.trim().split('\n').at(-1)!));
}

export function same(a: string, b: string): boolean {
  return readFileSync(a).equals(readFileSync(b));
}
