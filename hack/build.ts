#!/usr/bin/env node
/** `npm run build`: bundles the four programs into dist/. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { bundle, EntryMissing } from './build/bundle.ts';
import { programs } from './build/programs.ts';

const root = join(import.meta.dirname, '..');
try {
  await bundle(root, join(root, 'dist'), programs);
} catch (error) {
  if (!(error instanceof EntryMissing)) throw error;
  console.error(error.message);
  process.exit(1);
}
for (const name of Object.keys(programs)) {
  const { size } = await stat(join(root, 'dist', `${name}.js`));
  console.log(`dist/${name}.js  ${Math.ceil(size / 1024)} KiB`);
}
