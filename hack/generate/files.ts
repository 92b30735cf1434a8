import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chartFiles } from './chart.ts';
import { crdYaml } from './crd.ts';
import { kinds } from './kinds.ts';
import { reference } from './reference.ts';

/**
 * Everything that is generated: path from the root of the repository → text. Nothing is written.
 *
 * @param root the root of the repository, whose deploy/samples the reference quotes.
 */
export async function generatedFiles(root: string): Promise<ReadonlyMap<string, string>> {
  const files = new Map<string, string>();
  const crds = new Map(kinds.map((page) => [page.names.plural, crdYaml(page)]));
  for (const [plural, yaml] of crds) files.set(`deploy/crds/${plural}.yaml`, yaml);
  for (const [path, text] of await chartFiles(root, crds)) files.set(path, text);
  const samples = new Map<string, string>();
  for (const name of kinds.flatMap((page) => page.samples)) {
    samples.set(name, await readFile(join(root, 'deploy/samples', name), 'utf8'));
  }
  files.set('docs/api.md', reference(kinds, samples));
  return files;
}

/** The generated files that are missing or differ from what would be generated now. */
export async function staleFiles(root: string): Promise<readonly string[]> {
  const stale: string[] = [];
  for (const [path, text] of await generatedFiles(root)) {
    const there = await readFile(join(root, path), 'utf8').catch(() => undefined);
    if (there !== text) stale.push(path);
  }
  return stale;
}
