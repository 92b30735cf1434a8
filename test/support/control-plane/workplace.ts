import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const prefix = 'tidemark-control-plane-';

/** Makes a cluster's directory, named after our process. Those whose process was killed and could not are removed. */
export async function makeWorkplace(): Promise<string> {
  const all = await readdir(tmpdir());
  const stale = all.filter((name) => name.startsWith(prefix) && !existsSync(`/proc/${ownerOf(name)}`));
  await Promise.all(stale.map((name) => removeWorkplace(join(tmpdir(), name))));
  return await mkdtemp(join(tmpdir(), `${prefix}${process.pid}-`));
}

/** Removes it with all that is in it. */
export async function removeWorkplace(dir: string): Promise<void> {
  await rm(dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
}

function ownerOf(name: string): string {
  return name.slice(prefix.length).split('-')[0] ?? '';
}
