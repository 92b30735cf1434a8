import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { parseFlags, usageOf } from '../../src/kube/flags.ts';

const Flags = z.object({
  'node-name': z.string().min(1).describe('Which node.'),
  port: z.coerce.number().int().max(65_535).default(8081).describe('Which port.'),
  limit: z.string().optional().describe('Most bytes.'),
});

describe('a command line of flags', () => {
  test('is read by its schema, with what is left out', () => {
    expect(parseFlags(Flags, ['--node-name=a', '--port', '0'])).toEqual({ 'node-name': 'a', port: 0 });
  });

  test.each([
    [['--unknown=1'], "Unknown option '--unknown'"],
    [['--node-name=a', 'stray'], "Unexpected argument 'stray'"],
    [[], '--node-name: Invalid input: expected string'],
    [['--node-name=a', '--port=http'], '--port: Invalid input: expected number'],
    [['--node-name=', '--port=70000'], '--node-name: Too small'],
    [['--node-name=', '--port=70000'], '--port: Too big'],
  ])('is refused in words: %j', (args, words) => {
    expect(() => parseFlags(Flags, args)).toThrow(words);
  });

  test('is told by --help: each flag, what it is for, what it is when left out', () => {
    expect(usageOf('tidemark-thing', Flags)).toBe(
      [
        'Usage: tidemark-thing [--flag=value …]',
        '',
        '  --node-name',
        '      Which node. (needed)',
        '  --port',
        '      Which port. (default: 8081)',
        '  --limit',
        '      Most bytes.',
        '',
      ].join('\n'),
    );
  });
});
