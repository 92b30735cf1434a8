import { z } from 'zod';

/**
 * One node of a structural schema: what an API server accepts under `openAPIV3Schema`, and nothing more. The order of
 * the members here is their order in the files.
 *
 * See https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema
 */
export const Structural = z.strictObject({
  description: z.string().optional(),
  type: z.enum(['object', 'array', 'string', 'integer', 'boolean']),
  format: z.string().optional(),
  default: z.json().optional(),
  enum: z.array(z.string()).optional(),
  pattern: z.string().optional(),
  minimum: z.int().optional(),
  maximum: z.int().optional(),
  minLength: z.int().optional(),
  maxLength: z.int().optional(),
  minItems: z.int().optional(),
  maxItems: z.int().optional(),
  maxProperties: z.int().optional(),
  'x-kubernetes-list-type': z.enum(['atomic', 'set', 'map']).optional(),
  'x-kubernetes-list-map-keys': z.array(z.string()).optional(),
  'x-kubernetes-validations': z.array(z.strictObject({ rule: z.string(), message: z.string() })).optional(),
  required: z.array(z.string()).optional(),
  get items() {
    return Structural.optional();
  },
  get properties() {
    return z.record(z.string(), Structural).optional();
  },
  get additionalProperties() {
    return Structural.optional();
  },
});
export type Structural = z.infer<typeof Structural>;

/** Keywords that a structural schema has no place for, and what to write instead. */
const REFUSED: Readonly<Record<string, string>> = {
  oneOf: 'model the variants as optional members and say with a CEL rule which go together',
  anyOf: 'model the variants as optional members and say with a CEL rule which go together',
  allOf: 'use .extend() in place of an intersection',
  not: 'say it with a CEL rule',
  nullable: 'use .optional(): a Kubernetes field is left out, not null',
  exclusiveMinimum: 'use .min() with whole numbers',
  exclusiveMaximum: 'use .max() with whole numbers',
};

/** A zod schema that cannot be a structural schema. */
export class NotStructural extends Error {
  readonly reason = 'NotStructural';

  constructor(path: string, what: string, advice: string) {
    super(`${path || 'the object'}: ${what}; ${advice}`);
    this.name = 'NotStructural';
  }
}

type Json = Readonly<Record<string, unknown>>;

/**
 * Turns the zod schema of a whole object (`apiVersion`, `kind`, `metadata`, `spec`, `status`) into a structural schema.
 *
 * @throws {NotStructural} naming the field, when the schema holds something that a CRD cannot.
 */
export function structural(schema: z.ZodType): Structural {
  const root: Json = z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' });
  const { apiVersion: _version, kind: _kind, metadata: _metadata, ...own } = object(root['properties'], '');
  return Structural.parse({
    type: 'object',
    required: names(root['required']).filter((name) => name in own),
    properties: {
      // The API server keeps these itself: a CRD may say no more of them than their type.
      apiVersion: { type: 'string', description: 'The version of this kind, as <group>/<version>.' },
      kind: { type: 'string', description: 'The name of this kind.' },
      metadata: { type: 'object' },
      ...mapValues(own, (member, name) => convert(member, name)),
    },
  });
}

function convert(json: unknown, path: string): Json {
  const node = object(json, path);
  refuse(node, path);
  const { items, properties, additionalProperties, required, propertyNames: _, ...plain } = node;
  return {
    ...withoutNoise(plain),
    ...(items !== undefined && { items: convert(items, `${path}[]`) }),
    ...(properties !== undefined && {
      properties: mapValues(object(properties, path), (member, name) => convert(member, `${path}.${name}`)),
    }),
    ...(additionalProperties !== undefined && {
      additionalProperties: convert(additionalProperties, `${path}.*`),
    }),
    ...(names(required).length > 0 && { required }),
  };
}

function refuse(node: Json, path: string): void {
  for (const key of Object.keys(node)) {
    const advice = REFUSED[key];
    if (advice) throw new NotStructural(path, `${key} is not structural`, advice);
    // propertyNames is left out: a CRD has no schema for the keys of a map.
    if (!(key in Structural.shape) && key !== 'propertyNames') {
      throw new NotStructural(path, `${key} is unknown here`, 'teach hack/generate/structural.ts about it');
    }
  }
  if (node['type'] === undefined) {
    throw new NotStructural(path, 'it has no type', 'every field of a CRD has exactly one');
  }
  if (node['type'] === 'number') {
    throw new NotStructural(path, 'a fraction is not exact', 'use z.int() and name a smaller unit');
  }
  if (node['additionalProperties'] === false) {
    throw new NotStructural(
      path,
      'a strict object is not structural',
      'use z.object(): unknown fields are pruned',
    );
  }
}

/** Leaves out what zod adds to be exact in JavaScript, and what the API server does better. */
function withoutNoise(plain: Json): Json {
  const { minimum, maximum, pattern, ...rest } = plain;
  return {
    ...rest,
    ...(plain['type'] === 'integer' && { format: 'int64' }),
    ...(minimum !== undefined && minimum !== Number.MIN_SAFE_INTEGER && { minimum }),
    ...(maximum !== undefined && maximum !== Number.MAX_SAFE_INTEGER && { maximum }),
    // The API server checks the format itself; zod's pattern for it is hundreds of characters of the same.
    ...(pattern !== undefined && plain['format'] !== 'date-time' && { pattern }),
  };
}

function object(json: unknown, path: string): Json {
  if (isObject(json)) return json;
  throw new NotStructural(path, 'it has no members', 'use z.object()');
}

function isObject(json: unknown): json is Json {
  return typeof json === 'object' && json !== null;
}

function names(json: unknown): readonly string[] {
  return z.array(z.string()).parse(json ?? []);
}

function mapValues(from: Json, to: (value: unknown, key: string) => Json): Record<string, Json> {
  return Object.fromEntries(Object.entries(from).map(([key, value]) => [key, to(value, key)]));
}
