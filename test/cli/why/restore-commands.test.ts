import { execFileSync } from 'node:child_process';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoted } from '../../../src/cli/why/restore-commands.ts';

test.each([
  ['c/shop/db-1/2026', 'c/shop/db-1/2026'],
  ['/mnt/my backups', "'/mnt/my backups'"],
  ["it's", String.raw`'it'\''s'`],
  ['', "''"],
])('%j is quoted only if need be', (text, expected) => {
  expect(quoted(text)).toBe(expected);
});

test('whatever is quoted is one word for a shell', () => {
  // Control characters never get here: they are made visible before they are shown.
  const words = fc.array(fc.string({ minLength: 1, maxLength: 20 }).filter((text) => !/\p{Cc}/u.test(text)));
  fc.assert(
    fc.property(words, (texts) => {
      const script = `printf '%s\\n' ${texts.map(quoted).join(' ')}`;
      const said = execFileSync('sh', ['-c', script], { encoding: 'utf8' });
      expect(said.split('\n').slice(0, -1)).toEqual(texts.length === 0 ? [''] : texts);
    }),
    { numRuns: 30 },
  );
});
