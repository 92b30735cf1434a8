import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { StepFailed } from './steps.ts';

const exec = promisify(execFile);

/**
 * Passes when every file in the work tree is committed as it is.
 *
 * @throws {StepFailed} with the files that are not, one a line.
 */
export async function cleanTree(root: string): Promise<void> {
  const { stdout } = await exec('git', ['status', '--porcelain', '--untracked-files=all'], { cwd: root });
  if (stdout === '') return;
  throw new StepFailed(
    `these files are not committed as they are now; look at them, commit them:\n${stdout.trimEnd()}`,
  );
}
