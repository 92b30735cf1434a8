#!/usr/bin/env node
/** `npm run generate`: writes the CRDs and the reference from the zod schemas in src/crds, and what the chart renders. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { generatedFiles } from './generate/files.ts';
import { renderedFiles } from './generate/rendered.ts';

const root = join(import.meta.dirname, '..');
await write(await generatedFiles(root));
// Rendered from what was just written.
await write(await renderedFiles(root));

async function write(files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
    console.log(`wrote ${path}`);
  }
}
