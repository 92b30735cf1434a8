import { type Painter, printable, type Styled } from './style.ts';

const GAP = '   ';

/** Lines of a table: a heading if there is one, and columns as wide as they need to be. */
export function tableLines(
  headings: readonly string[],
  rows: readonly (readonly Styled[])[],
  paint: Painter,
): readonly string[] {
  const header = headings.map((text): Styled => ({ text, tone: 'bold' }));
  const all = headings.length === 0 ? rows : [header, ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => width(row[column]))));
  return all.map((row) => row.map((cell, column) => padded(cell, column)).join(GAP));

  function padded(cell: Styled, column: number): string {
    const isLast = column === widths.length - 1;
    const space = isLast ? 0 : (widths[column] ?? 0) - width(cell);
    return `${paint(cell)}${' '.repeat(space)}`;
  }
}

function width(cell: Styled | undefined): number {
  // Names and reasons are ASCII, so that a character is a column.
  return printable(cell?.text ?? '').length;
}
