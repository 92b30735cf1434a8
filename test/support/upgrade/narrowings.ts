import { z } from 'zod';

/** The parts of an OpenAPI schema that say what is taken. */
const Schema = z.looseObject({
  type: z.string().optional(),
  enum: z.array(z.unknown()).optional(),
  default: z.unknown().optional(),
  required: z.array(z.string()).optional(),
  get properties(): z.ZodOptional<z.ZodRecord<z.ZodString, typeof Schema>> {
    return z.record(z.string(), Schema).optional();
  },
  get items(): z.ZodOptional<typeof Schema> {
    return Schema.optional();
  },
});
type Schema = z.infer<typeof Schema>;

const UPPER = ['maximum', 'maxItems', 'maxLength', 'maxProperties'];
const LOWER = ['minimum', 'minItems', 'minLength', 'minProperties'];

/**
 * What an object that lies in a cluster, or a client of before, could stumble over in a newer schema: each with the path of the field.
 * Rules in CEL are not compared: the API server is asked about those.
 */
export function narrowings(before: unknown, after: unknown, path = ''): readonly string[] {
  const [old, now] = [Schema.parse(before), Schema.parse(after)];
  return [...ofField(old, now, path), ...below(old, now, path)];
}

function ofField(old: Schema, now: Schema, path: string): readonly string[] {
  const limit = (schema: Schema, name: string): number | undefined => {
    const found = schema[name];
    return typeof found === 'number' ? found : undefined;
  };
  const tighter = (names: readonly string[], sign: 1 | -1, none: number): readonly string[] =>
    names.filter((name) => sign * (limit(now, name) ?? none) < sign * (limit(old, name) ?? none));
  const lost =
    now.enum === undefined ? [] : (old.enum ?? ['anything']).filter((it) => !now.enum?.includes(it));
  return [
    ...(now.type === old.type ? [] : [`${path}: was ${old.type}, is ${now.type}`]),
    ...(JSON.stringify(now.default) === JSON.stringify(old.default) ? [] : [`${path}: has another default`]),
    ...lost.map((it) => `${path}: no longer takes ${String(it)}`),
    ...(now.required ?? [])
      .filter((name) => !old.required?.includes(name))
      .map((name) => `${path}.${name}: is required now`),
    ...[...tighter(UPPER, 1, Infinity), ...tighter(LOWER, -1, -Infinity)].map((name) => `${path}: ${name}`),
  ];
}

function below(old: Schema, now: Schema, path: string): readonly string[] {
  const fields = Object.entries(old.properties ?? {}).flatMap(([name, field]) => {
    const found = now.properties?.[name];
    return found === undefined ? [`${path}.${name}: is gone`] : narrowings(field, found, `${path}.${name}`);
  });
  const items =
    old.items === undefined || now.items === undefined ? [] : narrowings(old.items, now.items, `${path}[]`);
  return [...fields, ...items];
}
