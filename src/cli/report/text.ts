import { stringify } from 'yaml';
import type { Part } from './collect.ts';

/** The report as one text: a list of what is in it, then each part as YAML. */
export function reportText(parts: readonly Part[], head: Readonly<Record<string, string>>): string {
  const contents = parts.map(({ title, objects, problem }) =>
    problem === undefined ? `${title}: ${objects.length}` : `${title}: not read. ${problem}`,
  );
  const documents = [
    stringify({ report: head, contents }, { lineWidth: 0 }),
    ...parts.map(({ title, objects }) => `# ${title}\n${stringify(objects, { lineWidth: 0 })}`),
  ];
  return documents.map((document) => `---\n${document.trimEnd()}\n`).join('');
}
