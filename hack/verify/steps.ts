import { spawn } from 'node:child_process';
import { delimiter, join } from 'node:path';

const tools = join(import.meta.dirname, '../../node_modules/.bin');

/** One check: a name for people, and what to run. It has passed when `run` resolves. */
export interface Step {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** A check that did not pass; the message says what to do. */
export class StepFailed extends Error {
  readonly reason = 'StepFailed';

  constructor(message: string) {
    super(message);
    this.name = 'StepFailed';
  }
}

/**
 * Runs the steps one after the other, prints each with its time, and stops at the first that fails.
 *
 * @param print where each line goes.
 * @param now a clock in milliseconds.
 * @returns whether all passed.
 */
export async function runSteps(
  steps: readonly Step[],
  print: (line: string) => void,
  now: () => number,
): Promise<boolean> {
  const begun = now();
  for (const { name, run } of steps) {
    const from = now();
    try {
      await run();
    } catch (error) {
      if (!(error instanceof StepFailed)) throw error;
      print(`✗ ${name} (${seconds(now() - from)}): ${error.message}`);
      return false;
    }
    print(`✓ ${name} (${seconds(now() - from)})`);
  }
  print(`all ${steps.length} passed in ${seconds(now() - begun)}`);
  return true;
}

/** A step that runs a program, ours from node_modules first, and passes when it exits with 0. Its output is the user's to read. */
export function program(name: string, command: string, args: readonly string[]): Step {
  return {
    name,
    run: async () => {
      const env = { ...process.env, PATH: `${tools}${delimiter}${process.env['PATH'] ?? ''}` };
      const child = spawn(command, args, { stdio: 'inherit', env });
      const { promise: ended, resolve, reject } = Promise.withResolvers<string>();
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(signal ? `was ended by ${signal}` : `exited with ${code}`));
      const how = await ended;
      if (how === 'exited with 0') return;
      throw new StepFailed(`'${[command, ...args].join(' ')}' ${how}`);
    },
  };
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
