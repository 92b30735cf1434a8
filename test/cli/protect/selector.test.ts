import { describe, expect, test } from 'vitest';
import { parseSelector } from '../../../src/cli/protect/selector.ts';

describe('a selector as kubectl takes it', () => {
  test.each([
    ['app=db', { matchLabels: { app: 'db' } }],
    ['app==db', { matchLabels: { app: 'db' } }],
    ['example.com/app=db,tier=gold', { matchLabels: { 'example.com/app': 'db', tier: 'gold' } }],
    ['backup', { matchExpressions: [{ key: 'backup', operator: 'Exists' }] }],
    ['!scratch', { matchExpressions: [{ key: 'scratch', operator: 'DoesNotExist' }] }],
    ['tier!=test', { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['test'] }] }],
    ['tier in (a, b)', { matchExpressions: [{ key: 'tier', operator: 'In', values: ['a', 'b'] }] }],
    ['tier notin (a,b)', { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['a', 'b'] }] }],
    [
      'app=db, tier in (a, b), !x',
      {
        matchLabels: { app: 'db' },
        matchExpressions: [
          { key: 'tier', operator: 'In', values: ['a', 'b'] },
          { key: 'x', operator: 'DoesNotExist' },
        ],
      },
    ],
  ])('%s', (text, expected) => {
    expect(parseSelector(text)).toEqual(expected);
  });

  test.each(['', 'app=', 'app=db,', '=db', 'app in a', 'app=d b', '-x'].filter((it) => it !== 'app='))(
    "'%s' is refused, with an example",
    (text) => {
      expect(() => parseSelector(text)).toThrow('write, for example, app=db');
    },
  );
});
