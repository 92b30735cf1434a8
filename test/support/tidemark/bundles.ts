import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../../../hack/build/bundle.ts';
import { programs } from '../../../hack/build/programs.ts';

const ROOT = new URL('../../../', import.meta.url).pathname;
/** Where the bundles of this run are, in the environment of all its processes. */
const VARIABLE = 'TIDEMARK_TEST_BUNDLES';

/** Before all tests of a run: the programs are bundled once, as the image has them. */
export async function setup(): Promise<() => Promise<void>> {
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-bundles-'));
  // Pods run as another user.
  await chmod(directory, 0o755);
  await bundle(ROOT, directory, programs);
  process.env[VARIABLE] = directory;
  return async () => await rm(directory, { recursive: true, force: true });
}

/** The bundles of this run; those that are made now, in this directory, where there is no such run. */
export async function bundlesIn(directory: string): Promise<string> {
  const shared = process.env[VARIABLE];
  if (shared !== undefined) return shared;
  await bundle(ROOT, directory, programs);
  return directory;
}
