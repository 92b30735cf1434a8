import { execFileSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** A real, interactive bash on a terminal of its own (`script` of util-linux), into which somebody types. */

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tidemark-bash-'));
  const main = join(import.meta.dirname, '../../../src/cli/main.ts');
  await writeFile(
    join(directory, 'kubectl-tidemark'),
    `#!/bin/sh\nexec "${process.execPath}" "${main}" "$@"\n`,
  );
  await chmod(join(directory, 'kubectl-tidemark'), 0o755);
});
afterAll(() => rm(directory, { recursive: true, force: true }));

/** What bash runs after this was typed: the line is not carried out, but written down. */
function typed(keys: string): string {
  const env = {
    PATH: `${directory}:${process.env['PATH']}`,
    TERM: 'dumb',
    HOME: directory,
    INPUTRC: '/dev/null',
  };
  const accept = `ran() { shift; printf '[%s]' "$@" >"${directory}/ran"; }; kubectl-tidemark completion bash >"${directory}/completion"; . "${directory}/completion"`;
  // The function in the command's place is set when all has been completed.
  const input = `${accept}\n${keys}\u0001ran \u0005\nexit\n`;
  execFileSync('script', ['-qec', 'bash --norc --noprofile -i', '/dev/null'], {
    input,
    env,
    timeout: 60_000,
  });
  return execFileSync('cat', [join(directory, 'ran')], { encoding: 'utf8' });
}

describe('completion in bash', () => {
  test('ends a command that was begun', () => {
    expect(typed('kubectl-tidemark veri\t')).toBe('[verify]');
  });

  test('ends a flag of that command, and what it may be', () => {
    expect(typed('kubectl-tidemark backup db --qui\tReq\t')).toBe('[backup][db][--quiesce][Required]');
  });

  test('leaves alone what nothing fits', () => {
    expect(typed('kubectl-tidemark xyz\t')).toBe('[xyz]');
  });
});
