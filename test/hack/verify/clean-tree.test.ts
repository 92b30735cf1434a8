import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { cleanTree } from '../../../hack/verify/clean-tree.ts';
import { StepFailed } from '../../../hack/verify/steps.ts';

const exec = promisify(execFile);

/** A git repository with one committed file. */
async function repository(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'tidemark-tree-'));
  onTestFinished(() => rm(root, { recursive: true }));
  const identity = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'commit.gpgsign=false'];
  await writeFile(join(root, 'a.txt'), 'one');
  await exec('git', ['init', '--quiet'], { cwd: root });
  await exec('git', ['add', '.'], { cwd: root });
  await exec('git', [...identity, 'commit', '--quiet', '--no-verify', '-m', 'first'], { cwd: root });
  return root;
}

test('a tree as it was committed passes', async () => {
  await expect(cleanTree(await repository())).resolves.toBeUndefined();
});

test('files that changed or are new are named', async () => {
  const root = await repository();
  await writeFile(join(root, 'a.txt'), 'two');
  await writeFile(join(root, 'b.txt'), 'new');
  const look = cleanTree(root);
  await expect(look).rejects.toThrow(StepFailed);
  await expect(look).rejects.toThrow(/ M a\.txt\n\?\? b\.txt$/);
});
