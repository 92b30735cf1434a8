import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const page = readFileSync(join(ROOT, 'docs/reliability.md'), 'utf8');

interface Row {
  readonly fault: string;
  readonly see: string;
  readonly proof: string;
}

const rows: readonly Row[] = page
  .split('\n')
  .filter((line) => line.startsWith('| ') && !line.startsWith('| fault |'))
  .map((line) => {
    const [, fault = '', see = '', , proof = ''] = line
      .split(' | ')
      .flatMap((cell, index) => (index === 0 ? ['', cell] : [cell]));
    return { fault: fault.slice(2), see, proof };
  });

const source = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .map((path) => readFileSync(join(ROOT, 'src', path), 'utf8'))
  .join('\n');

/** What follows a title in a table or a call: only a whole title counts. */
function holdsTitle(file: string, title: string): boolean {
  const text = readFileSync(join(ROOT, file), 'utf8');
  return [`'${title}'`, `"${title}"`, `\`${title}\``].some((literal) => text.includes(literal));
}

test('the table is read', () => {
  expect(rows.length).toBeGreaterThan(80);
});

test.each(rows)('$fault: the test that proves it is there', ({ proof }) => {
  const [, shown = '', file = '', title = ''] = /^\[(.+)\]\(\.\.\/(test\/.+)\) “(.+)” \|$/.exec(proof) ?? [];
  expect(file, proof).toBe(`test/${shown}`);
  expect(holdsTitle(file, title), `${file} has no test “${title}”`).toBe(true);
});

test.each(
  rows.flatMap(({ see }) => [...see.matchAll(/`([A-Z][a-z]+[A-Z]\w+)`/g)].map(([, reason]) => reason)),
)('the reason %s exists', (reason) => expect(source).toMatch(new RegExp(`['"]${reason}['"]`)));
