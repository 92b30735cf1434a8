import { program, type Step } from './steps.ts';

/** What tells of a fault without running anything: the same in `npm run verify` and `npm run check`. */
export const staticSteps: readonly Step[] = [
  program('lint', 'oxlint', ['--type-aware', '--deny-warnings']),
  program('types', 'tsc', ['--noEmit']),
  program('dead code', 'knip', []),
];
