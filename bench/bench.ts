import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A disk served by qemu-nbd, as QEMU serves a pull backup. */
export interface Served {
  readonly uri: string;
  readonly pid: number;
}

/** The directory a benchmark works in, and the servers it started: all gone after `dispose`. */
export class Bench implements AsyncDisposable {
  readonly path: string;
  readonly #stops: (() => Promise<void>)[] = [];

  constructor(parent: string) {
    this.path = mkdtempSync(join(parent, 'tidemark-bench-'));
  }

  at(name: string): string {
    return join(this.path, name);
  }

  /** Runs a tool to its end. @throws if it fails */
  tool(command: string, args: readonly string[], input = ''): void {
    execFileSync(command, args, { cwd: this.path, input, stdio: ['pipe', 'ignore', 'inherit'] });
  }

  async serve(image: string, format: 'raw' | 'qcow2', bitmap?: string): Promise<Served> {
    const socket = this.at(`s${this.#stops.length}`);
    const how = ['-t', '-r', '-e', '8', '-f', format, '-x', 'vda', '-k', socket];
    const child = spawn('qemu-nbd', [...how, ...(bitmap ? ['-B', bitmap] : []), this.at(image)], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    this.#stops.push(async () => {
      child.kill('SIGKILL');
      await closed;
    });
    for (let i = 0; !existsSync(socket); i++) {
      if (i > 500 || child.exitCode !== null) throw new Error('qemu-nbd did not start');
      await sleep(20);
    }
    return { uri: `nbd+unix:///vda?socket=${socket}`, pid: child.pid ?? 0 };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const stop of this.#stops) await stop();
    rmSync(this.path, { recursive: true, force: true });
  }
}
