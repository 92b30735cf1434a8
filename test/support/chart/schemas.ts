import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const Swagger = z.object({ definitions: z.record(z.string(), z.record(z.string(), z.unknown())) });
const Kinds = z.array(z.object({ group: z.string(), version: z.string(), kind: z.string() }));

/**
 * Writes what an API server says of its kinds (`/openapi/v2`) as the schema files that kubeconform reads, custom resources
 * included: so what is judged by is exactly the Kubernetes that the tests run. A member that no schema names is refused.
 *
 * @returns the pattern for `-schema-location`
 */
export async function writeSchemas(directory: string, openapi: string): Promise<string> {
  const { definitions } = Swagger.parse(JSON.parse(openapi));
  await mkdir(directory, { recursive: true });
  const strict = Object.fromEntries(
    Object.entries(definitions).map(([name, schema]) => [name, strictly(schema)]),
  );
  await writeFile(join(directory, '_definitions.json'), JSON.stringify({ definitions: strict }));
  for (const [name, schema] of Object.entries(definitions)) {
    for (const { group, version, kind } of Kinds.catch([]).parse(schema['x-kubernetes-group-version-kind'])) {
      const file = [kind.toLowerCase(), ...(group === '' ? [] : [group.split('.')[0]]), version].join('-');
      const schemaFile = { $ref: `_definitions.json#/definitions/${name}` };
      await writeFile(join(directory, `${file}.json`), JSON.stringify(schemaFile));
    }
  }
  return join(directory, '{{.ResourceKind}}{{.KindSuffix}}.json');
}

/** JSON Schema of OpenAPI v2: closed objects, and what Kubernetes calls int-or-string. */
function strictly(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(strictly);
  if (typeof schema !== 'object' || schema === null) return schema;
  const all = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, strictly(value)]));
  if (all['format'] === 'int-or-string') return { anyOf: [{ type: 'string' }, { type: 'integer' }] };
  const isOpen =
    all['properties'] === undefined ||
    all['additionalProperties'] !== undefined ||
    all['x-kubernetes-preserve-unknown-fields'] === true;
  return isOpen ? all : { ...all, additionalProperties: false };
}
