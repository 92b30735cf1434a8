import { describe, expect, test } from 'vitest';
import { program, runSteps, type Step, StepFailed } from '../../../hack/verify/steps.ts';

const passes = (name: string): Step => ({ name, run: async () => {} });
const fails = (name: string): Step => ({
  name,
  run: async () => {
    throw new StepFailed('do this');
  },
});

/** Runs the steps under a clock that goes on by 1.5 s at each look. */
async function run(...steps: readonly Step[]): Promise<{ passed: boolean; lines: readonly string[] }> {
  const lines: string[] = [];
  let time = 0;
  const passed = await runSteps(
    steps,
    (line) => lines.push(line),
    () => (time += 1500),
  );
  return { passed, lines };
}

describe('steps', () => {
  test('are printed with their times, and the sum', async () => {
    expect(await run(passes('lint'), passes('types'))).toEqual({
      passed: true,
      lines: ['✓ lint (1.5 s)', '✓ types (1.5 s)', 'all 2 passed in 7.5 s'],
    });
  });

  test('end at the first that fails, with what to do', async () => {
    expect(await run(passes('lint'), fails('types'), passes('tests'))).toEqual({
      passed: false,
      lines: ['✓ lint (1.5 s)', '✗ types (1.5 s): do this'],
    });
  });

  test('do not hide a fault of their own', async () => {
    const broken: Step = { name: 'x', run: async () => Promise.reject(new TypeError('bug')) };
    await expect(run(broken)).rejects.toThrow(TypeError);
  });
});

describe('a program', () => {
  test('passes when it exits with 0', async () => {
    await expect(program('x', process.execPath, ['-e', '']).run()).resolves.toBeUndefined();
  });

  test.each([
    ['process.exit(3)', /' exited with 3$/],
    ["process.kill(process.pid, 'SIGTERM')", /' was ended by SIGTERM$/],
  ])('fails when it does %s', async (script, message) => {
    const running = program('x', process.execPath, ['-e', script]).run();
    await expect(running).rejects.toThrow(StepFailed);
    await expect(running).rejects.toThrow(message);
  });

  test('is looked for in node_modules first', async () => {
    const script = "if (!process.execPath.includes('node_modules')) process.exit(1)";
    await expect(program('x', 'node', ['-e', script]).run()).resolves.toBeUndefined();
  });
});
