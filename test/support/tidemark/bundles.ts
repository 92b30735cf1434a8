import { chmod, cp, mkdtemp, rm } from 'node:fs/promises';
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

/** Puts the programs into an installation's own directory: a process is known by the path of its program, whose it is. */
export async function bundleInto(directory: string): Promise<void> {
  const shared = process.env[VARIABLE];
  if (shared === undefined) await bundle(ROOT, directory, programs);
  else await cp(shared, directory, { recursive: true });
}
