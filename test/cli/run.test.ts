import { describe, expect, test } from 'vitest';
import { runCli } from '../../src/cli/run.ts';
import { written } from './builders.ts';

/** Runs a command line that needs no cluster. */
async function run(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const [stdout, stderr] = [written(), written()];
  const { signal } = new AbortController();
  const code = await runCli(args, { stdout, stderr, env: {}, now: () => 0, signal });
  return { code, stdout: stdout.text, stderr: stderr.text };
}

describe('help', () => {
  test.each([
    [['--help'], 'kubectl tidemark COMMAND'],
    [['-h'], 'kubectl tidemark COMMAND'],
    [['help'], 'kubectl tidemark COMMAND'],
    [['status', '--help'], 'kubectl tidemark status ['],
    [['-o', 'json', 'status', '-h'], 'kubectl tidemark status ['],
    [['why', '--help'], 'kubectl tidemark why BACKUP'],
    [['-n', 'status', 'why', '--help'], 'kubectl tidemark why BACKUP'],
  ])('%j tells how to use it', async (args, expected) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stdout).toContain(expected);
    expect(stdout).toContain('--kubeconfig FILE');
    expect([code, stderr]).toEqual([0, '']);
  });

  test('--version tells the version', async () => {
    const { code, stdout } = await run('--version');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\S*\n$/)]);
  });
});

describe('a wrong command line ends with 2, and with one line that says what to write', () => {
  test.each([
    [[], 'say what to do: the commands are status, why'],
    [['stats'], "there is no command 'stats': the commands are status, why"],
    [['status', 'web'], 'status takes no arguments, only flags'],
    [['status', '--frobnicate'], "Unknown option '--frobnicate'"],
    [['status', '-o', 'yaml'], "--output: write 'table' or 'json'"],
    [['status', '-n'], 'argument missing'],
    [['status', '--namespace='], '--namespace: it is empty'],
    [['status', '-A', '-n', 'shop'], 'set either --namespace or --all-namespaces, not both'],
    [['why'], 'name one VMBackup, as in: kubectl tidemark why web-full'],
    [['why', 'a', 'b'], 'name one VMBackup'],
    [['why', 'a', '-o', 'json'], "Unknown option '-o'"],
  ])('%j', async (args, expected) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toContain(expected);
    expect(stderr).toMatch(/^kubectl tidemark: [^\n]+\n$/);
    expect([code, stdout]).toEqual([2, '']);
  });
});

test('a kubeconfig that is not there ends with 1, and with one line', async () => {
  const { code, stderr } = await run('status', '--kubeconfig', '/nowhere/kubeconfig');
  expect(stderr).toMatch(
    /^kubectl tidemark: Cannot read the kubeconfig from \/nowhere\/kubeconfig: [^\n]+\n$/,
  );
  expect(code).toBe(1);
});
