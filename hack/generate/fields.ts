import type { Structural } from './structural.ts';

/** One line of the reference: a field, and what may stand in it. */
export interface Field {
  /** From the root of the object: `spec.volumes.include`; `[]` stands for any item, `.*` for any key. */
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  /** As it would be written in YAML; undefined when the API server fills nothing in. */
  readonly default?: string;
  /** What the API server enforces, in words; '' when the type says it all. */
  readonly bounds: string;
  readonly description: string;
}

/** A CEL rule, with the field that it stands at. */
export interface Rule {
  readonly path: string;
  readonly message: string;
}

/** Every field below a node, depth first, in the order of the schema. */
export function fieldsOf(node: Structural, path: string): readonly Field[] {
  if (node.items) return fieldsOf(node.items, `${path}[]`);
  const fields: Field[] = [];
  for (const [name, member] of Object.entries(node.properties ?? {})) {
    const at = `${path}.${name}`;
    fields.push(field(member, at, node.required?.includes(name) ?? false), ...fieldsOf(member, at));
  }
  return fields;
}

/** Every CEL rule at or below a node, depth first. */
export function rulesOf(node: Structural, path: string): readonly Rule[] {
  const own = (node['x-kubernetes-validations'] ?? []).map(({ message }) => ({ path, message }));
  const members = Object.entries(node.properties ?? {}).flatMap(([name, member]) =>
    rulesOf(member, `${path}.${name}`),
  );
  const items = node.items ? rulesOf(node.items, `${path}[]`) : [];
  return [...own, ...members, ...items];
}

function field(node: Structural, path: string, required: boolean): Field {
  return {
    path,
    type: typeName(node),
    required,
    ...(node.default !== undefined && { default: JSON.stringify(node.default) }),
    bounds: boundsOf(node),
    description: node.description ?? '',
  };
}

function typeName(node: Structural): string {
  if (node.items) return `list of ${typeName(node.items)}s`;
  if (node.additionalProperties) return `map of ${typeName(node.additionalProperties)}s`;
  return node.format === 'date-time' ? 'time' : node.type;
}

function boundsOf(node: Structural): string {
  const inner = node.items ?? node.additionalProperties;
  return [
    node.enum && node.enum.map((value) => `\`${value}\``).join(', '),
    range(node.minimum, node.maximum, ''),
    node.format === 'date-time' ? undefined : range(node.minLength, node.maxLength, 'characters'),
    range(node.minItems, node.maxItems, 'items'),
    range(undefined, node.maxProperties, 'entries'),
    inner && inner.type !== 'object' ? boundsOf(inner) && `each ${boundsOf(inner)}` : undefined,
  ]
    .filter(Boolean)
    .join('; ');
}

function range(min: number | undefined, max: number | undefined, unit: string): string | undefined {
  if (min === undefined && max === undefined) return undefined;
  const words =
    max === undefined ? `${min} or more` : min === undefined ? `up to ${max}` : `${min} to ${max}`;
  return unit ? `${words} ${unit}` : words;
}
