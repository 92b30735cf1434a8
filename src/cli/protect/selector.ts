import type { LabelSelector } from '../../crds/vmbackupschedule.ts';
import { UsageError } from '../exit-code.ts';

type Expression = NonNullable<LabelSelector['matchExpressions']>[number];

const KEY = String.raw`([A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?)`;
const VALUE = String.raw`([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|)`;
const LIST = String.raw`\(\s*([^()]*?)\s*\)`;

/** The forms of a term, as kubectl's `-l` takes them: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ */
const forms: readonly (readonly [RegExp, (key: string, value: string) => Expression])[] = [
  [form(String.raw`${KEY}\s*==?\s*${VALUE}`), (key, value) => ({ key, operator: 'In', values: [value] })],
  [form(String.raw`${KEY}\s*!=\s*${VALUE}`), (key, value) => ({ key, operator: 'NotIn', values: [value] })],
  [form(String.raw`${KEY}\s+in\s+${LIST}`), (key, list) => ({ key, operator: 'In', values: valuesOf(list) })],
  [
    form(String.raw`${KEY}\s+notin\s+${LIST}`),
    (key, list) => ({ key, operator: 'NotIn', values: valuesOf(list) }),
  ],
  [form(String.raw`!\s*${KEY}`), (key) => ({ key, operator: 'DoesNotExist' })],
  [form(KEY), (key) => ({ key, operator: 'Exists' })],
];

/**
 * Reads a selector as kubectl's `-l` takes it: `app=db,tier in (gold, silver),!scratch`.
 * @throws UsageError
 */
export function parseSelector(text: string): LabelSelector {
  // Not within brackets: those commas part values.
  const terms = text.split(/,(?![^(]*\))/).map((term) => parseTerm(term.trim(), text));
  const exact = terms.filter(({ operator, values }) => operator === 'In' && values?.length === 1);
  const others = terms.filter((term) => !exact.includes(term));
  return {
    ...(exact.length > 0 && {
      matchLabels: Object.fromEntries(exact.map(({ key, values = [] }) => [key, values[0] ?? ''])),
    }),
    ...(others.length > 0 && { matchExpressions: others }),
  };
}

function parseTerm(term: string, whole: string): Expression {
  for (const [pattern, make] of forms) {
    const [, key, value = ''] = pattern.exec(term) ?? [];
    if (key !== undefined) return make(key, value);
  }
  throw new UsageError(
    `'${term}' in the selector '${whole}' cannot be read: write, for example, app=db,tier in (gold, silver),!scratch`,
  );
}

function valuesOf(list: string): string[] {
  return list.split(/\s*,\s*/);
}

function form(pattern: string): RegExp {
  return new RegExp(`^${pattern}$`);
}
