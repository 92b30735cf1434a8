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
    [['--help'], 'Usage: kubectl tidemark [options] [command]'],
    [['-h'], 'Usage: kubectl tidemark [options] [command]'],
    [['help'], 'Usage: kubectl tidemark [options] [command]'],
    [['status', '--help'], 'Usage: kubectl tidemark status [options]'],
    [['help', 'tree'], 'Usage: kubectl tidemark tree [options] <vm>'],
    [['why', '-h'], 'Usage: kubectl tidemark why [options] <backup>'],
    [['repo', '--help'], 'Usage: kubectl tidemark repo [options] [command]'],
    [['repo', 'ls', '--help'], 'Usage: kubectl tidemark repo ls [options] [repository]'],
    [['-n', 'status', 'why', '--help'], 'Usage: kubectl tidemark why [options] <backup>'],
  ])('%j tells how to use it', async (args, expected) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stdout).toContain(expected);
    expect(stdout).toContain('--kubeconfig <file>');
    expect([code, stderr]).toEqual([0, '']);
  });

  test('--version tells the version', async () => {
    const { code, stdout } = await run('--version');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\S*\n$/)]);
  });
});

describe('a wrong command line ends with 2, and with one line that says what to write', () => {
  test.each([
    [['stats'], "unknown command 'stats' (Did you mean status?)"],
    [['status', 'web'], 'too many arguments'],
    [['status', '--frobnicate'], "unknown option '--frobnicate'"],
    [['status', '-o', 'xml'], "'xml' is invalid. Allowed choices are table, json, yaml"],
    [['status', '-n'], 'argument missing'],
    [['status', '--namespace='], '--namespace is empty'],
    [['status', '-A', '-n', 'shop'], 'set either --namespace or --all-namespaces, not both'],
    [['why'], "missing required argument 'backup'"],
    [['verify'], "missing required argument 'backup'"],
    [['repo', 'list'], "unknown command 'list'"],
    [['repo', 'import'], "missing required argument 'repository'"],
    [['repo', 'ls', '-o', 'xml'], "'xml' is invalid"],
    [['why', 'a', 'b'], 'too many arguments'],
    [['protect', 'db'], "required option '--repository <name>' not specified"],
    [['protect', '--repository', 'nas'], 'say which VMs'],
    [['completion', 'tcsh'], "'tcsh' is invalid"],
  ])('%j', async (args, expected) => {
    const { code, stdout, stderr } = await run(...args);
    expect(stderr).toContain(expected);
    expect(stderr).toMatch(/^kubectl tidemark: [^\n]+\n$/);
    expect([code, stdout]).toEqual([2, '']);
  });

  test('without a command, the commands are shown', async () => {
    const { code, stderr } = await run();
    expect(stderr).toContain('status [options]');
    expect(stderr).toMatch(/kubectl tidemark: say what to do: the commands stand above\n$/);
    expect(code).toBe(2);
  });
});

test('a kubeconfig that is not there ends with 1, and with one line', async () => {
  const { code, stderr } = await run('status', '--kubeconfig', '/nowhere/kubeconfig');
  expect(stderr).toMatch(
    /^kubectl tidemark: Cannot read the kubeconfig from \/nowhere\/kubeconfig: [^\n]+\n$/,
  );
  expect(code).toBe(1);
});
