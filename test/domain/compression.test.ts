import { expect, test } from 'vitest';
import { compressionOf } from '../../src/domain/compression.ts';

test.each([
  ['nothing is said', undefined, { compression: 'none' }],
  ['None is said', { algorithm: 'None' }, { compression: 'none' }],
  ['Zstd is said', { algorithm: 'Zstd' }, { compression: 'zstd', compressionLevel: 3 }],
  ['a level is said', { algorithm: 'Zstd', level: 9 }, { compression: 'zstd', compressionLevel: 9 }],
] as const)('what the mover is told when %s', (_, compression, told) => {
  expect(compressionOf({ compression })).toEqual(told);
});
