#!/usr/bin/env node
/** `npm run check`: what `npm run verify` checks, without the tests and without writing any file. */
import { join } from 'node:path';
import { staleFiles } from './generate/files.ts';
import { staleRendered } from './generate/rendered.ts';
import { staticSteps } from './verify/static.ts';
import { program, runSteps, StepFailed } from './verify/steps.ts';

const root = join(import.meta.dirname, '..');
process.chdir(root);
const passed = await runSteps(
  [
    {
      name: 'generated files',
      run: async () => {
        const stale = [...(await staleFiles(root)), ...(await staleRendered(root))];
        if (stale.length > 0) throw new StepFailed(`run 'npm run generate': ${stale.join(', ')} out of date`);
      },
    },
    program('format', 'biome', ['format', '.']),
    ...staticSteps,
  ],
  console.log,
  Date.now,
);
process.exitCode = passed ? 0 : 1;
