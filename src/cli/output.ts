import { Option } from '@commander-js/extra-typings';
import { stringify } from 'yaml';

/** How data is shown: to people, or to programs. */
export type Format = 'table' | 'json' | 'yaml';

/** `-o`, for every command that shows data. */
export const outputOption = (): Option<
  '-o, --output <format>',
  undefined,
  'table',
  undefined,
  false,
  Format
> =>
  new Option('-o, --output <format>', 'how to show it')
    .choices(['table', 'json', 'yaml'] as const)
    .default('table');

/** Data for programs; undefined if it is for people. */
export function forPrograms(format: Format, data: unknown): readonly string[] | undefined {
  switch (format) {
    case 'json':
      return [JSON.stringify(data, null, 2)];
    case 'yaml':
      return [stringify(JSON.parse(JSON.stringify(data)), { lineWidth: 0 }).trimEnd()];
    case 'table':
      return undefined;
  }
}
