#!/usr/bin/env node
/**
 * `npm run verify`: generates, formats, then runs every check and all tests. It passes only when all of that leaves
 * the work tree as it is committed.
 */
import { join } from 'node:path';
import { cleanTree } from './verify/clean-tree.ts';
import { staticSteps } from './verify/static.ts';
import { program, runSteps } from './verify/steps.ts';

const root = join(import.meta.dirname, '..');
process.chdir(root);
const passed = await runSteps(
  [
    program('generate', process.execPath, ['hack/generate.ts']),
    program('format', 'biome', ['format', '--write', '.']),
    ...staticSteps,
    program('tests', 'vitest', ['run']),
    { name: 'clean tree', run: () => cleanTree(root) },
  ],
  console.log,
  Date.now,
);
process.exitCode = passed ? 0 : 1;
