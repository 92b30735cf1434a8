import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { NotStructural, type Structural, structural } from '../../../hack/generate/structural.ts';

/** The structural schema of one field of a spec. */
function ofField(schema: z.ZodType): Structural | undefined {
  return structural(z.object({ spec: z.object({ field: schema }) })).properties?.['spec']?.properties?.[
    'field'
  ];
}

describe('a zod schema becomes a structural schema', () => {
  test.each<[string, z.ZodType, unknown]>([
    ['a string keeps its length', z.string().min(1).max(63), { type: 'string', minLength: 1, maxLength: 63 }],
    ['an integer without bounds is an int64', z.int(), { type: 'integer', format: 'int64' }],
    [
      'an integer keeps its own bounds',
      z.int().min(0).max(9),
      { type: 'integer', format: 'int64', minimum: 0, maximum: 9 },
    ],
    [
      'a time loses the pattern that its format makes needless',
      z.iso.datetime(),
      { type: 'string', format: 'date-time' },
    ],
    ['an enum lists its values', z.enum(['A', 'B']), { type: 'string', enum: ['A', 'B'] }],
    ['a default is filled in by the server', z.boolean().default(false), { type: 'boolean', default: false }],
    ['a description stays', z.boolean().describe('Why.'), { type: 'boolean', description: 'Why.' }],
    [
      'a list keeps its bounds and its extensions',
      z.array(z.string().max(9)).max(3).meta({ 'x-kubernetes-list-type': 'set' }),
      {
        type: 'array',
        items: { type: 'string', maxLength: 9 },
        maxItems: 3,
        'x-kubernetes-list-type': 'set',
      },
    ],
    [
      'a record is a map, without a schema for its keys',
      z.record(z.string().max(9), z.string().max(3)).meta({ maxProperties: 4 }),
      { type: 'object', additionalProperties: { type: 'string', maxLength: 3 }, maxProperties: 4 },
    ],
    [
      'an optional member is not required, nor is one with a default',
      z.object({ a: z.string(), b: z.string().optional(), c: z.string().default('x') }),
      {
        type: 'object',
        properties: { a: { type: 'string' }, b: { type: 'string' }, c: { type: 'string', default: 'x' } },
        required: ['a'],
      },
    ],
    [
      'a CEL rule passes through',
      z.string().meta({ 'x-kubernetes-validations': [{ rule: 'true', message: 'never' }] }),
      { type: 'string', 'x-kubernetes-validations': [{ rule: 'true', message: 'never' }] },
    ],
  ])('%s', (_, schema, expected) => {
    expect(ofField(schema)).toEqual(expected);
  });

  test('the members that the API server keeps itself are given by type only', () => {
    const meta = z.object({ name: z.string(), uid: z.string() });
    const schema = structural(z.object({ apiVersion: z.literal('v1'), metadata: meta, spec: z.object({}) }));
    expect(schema.properties?.['metadata']).toEqual({ type: 'object' });
    expect(schema.properties?.['apiVersion']).not.toHaveProperty('enum');
    expect(schema.required).toEqual(['spec']);
  });
});

describe('what a CRD cannot say is refused, with the path and a way out', () => {
  test.each<[string, z.ZodType, RegExp]>([
    ['a union', z.union([z.string(), z.int()]), /^spec\.field: anyOf is not structural; model the variants/],
    [
      'a discriminated union',
      z.discriminatedUnion('t', [z.object({ t: z.literal('a') }), z.object({ t: z.literal('b') })]),
      /^spec\.field: (oneOf|anyOf) is not structural/,
    ],
    [
      'an intersection',
      z.intersection(z.string(), z.string().max(3)),
      /allOf is not structural; use \.extend\(\)/,
    ],
    ['null', z.string().nullable(), /nullable is not structural; use \.optional\(\)/],
    [
      'a strict object',
      z.strictObject({ a: z.string() }),
      /a strict object is not structural; use z\.object\(\)/,
    ],
    ['a floating-point number', z.number(), /a fraction is not exact/],
    ['anything', z.unknown(), /it has no type/],
    ['a field deep inside', z.array(z.object({ a: z.unknown() })), /^spec\.field\[\]\.a: it has no type/],
    ['an unknown keyword', z.string().meta({ examples: ['a'] }), /examples is unknown here/],
  ])('%s', (_, schema, message) => {
    expect(() => ofField(schema)).toThrow(NotStructural);
    expect(() => ofField(schema)).toThrow(message);
  });

  test('a date, which JSON does not have', () => {
    expect(() => ofField(z.date())).toThrow(/Date cannot be represented/);
  });
});
