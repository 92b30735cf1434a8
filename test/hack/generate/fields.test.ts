import { expect, test } from 'vitest';
import { fieldsOf, rulesOf } from '../../../hack/generate/fields.ts';
import type { Structural } from '../../../hack/generate/structural.ts';

const spec = (properties: Record<string, Structural>, required: string[] = []): Structural => ({
  type: 'object',
  properties,
  required,
});

const ruled = (message: string): Structural => ({
  type: 'string',
  'x-kubernetes-validations': [{ rule: 'true', message }],
});

test.each<[Structural, string, string]>([
  [{ type: 'string', minLength: 1, maxLength: 63 }, 'string', '1 to 63 characters'],
  [{ type: 'string', maxLength: 63 }, 'string', 'up to 63 characters'],
  [{ type: 'integer', minimum: 0 }, 'integer', '0 or more'],
  [{ type: 'integer', minimum: 1, maximum: 5 }, 'integer', '1 to 5'],
  [{ type: 'string', enum: ['A', 'B'] }, 'string', '`A`, `B`'],
  [{ type: 'string', format: 'date-time', maxLength: 64 }, 'time', ''],
  [
    { type: 'array', maxItems: 3, items: { type: 'string', maxLength: 9 } },
    'list of strings',
    'up to 3 items; each up to 9 characters',
  ],
  [
    { type: 'object', maxProperties: 2, additionalProperties: { type: 'string', maxLength: 9 } },
    'map of strings',
    'up to 2 entries; each up to 9 characters',
  ],
])('%j reads as %s, %s', (schema, type, bounds) => {
  expect(fieldsOf(spec({ a: schema }), 'spec')[0]).toMatchObject({ path: 'spec.a', type, bounds });
});

test('fields come depth first, with [] for the items of a list', () => {
  const item = spec({ name: { type: 'string' } });
  const schema = spec({ list: { type: 'array', items: item }, last: { type: 'boolean' } });
  expect(fieldsOf(schema, 'spec').map(({ path }) => path)).toEqual([
    'spec.list',
    'spec.list[].name',
    'spec.last',
  ]);
});

test('a field says whether it is required, and what is filled in', () => {
  const schema = spec({ a: { type: 'string' }, b: { type: 'string', default: '4.2' } }, ['a']);
  expect(fieldsOf(schema, 'spec')).toMatchObject([
    { path: 'spec.a', required: true },
    { path: 'spec.b', required: false, default: '"4.2"' },
  ]);
});

test('rules are found wherever they stand', () => {
  const schema: Structural = {
    ...spec({ one: ruled('first'), list: { type: 'array', items: ruled('second') } }),
    'x-kubernetes-validations': [{ rule: 'true', message: 'whole' }],
  };
  expect(rulesOf(schema, 'spec').map(({ path, message }) => [path, message])).toEqual([
    ['spec', 'whole'],
    ['spec.one', 'first'],
    ['spec.list[]', 'second'],
  ]);
});
