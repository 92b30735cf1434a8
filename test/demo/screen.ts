import { stdout } from 'node:process';

const colours = stdout.isTTY && process.env['NO_COLOR'] === undefined;
const paint = (code: number) => (text: string) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = paint(1);
export const dim = paint(2);
export const red = paint(31);
export const green = paint(32);
export const yellow = paint(33);

const begun = performance.now();

/** A chapter of the story. */
export function chapter(title: string): void {
  stdout.write(`\n${bold(title)}\n`);
}

/** One thing that happened, with the seconds since the beginning. */
export function say(text: string): void {
  const seconds = ((performance.now() - begun) / 1000).toFixed(1).padStart(6);
  stdout.write(`${dim(`${seconds} s`)}  ${text}\n`);
}

/** What a program printed, set off from our own words. */
export function quote(text: string): void {
  for (const line of text.trimEnd().split('\n')) stdout.write(`          ${dim('│')} ${line}\n`);
}

/** A table with columns as wide as they need to be; numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((title, column) =>
    Math.max(...[title, ...rows.map((row) => row[column] ?? '')].map(width)),
  );
  const numeric = header.map((_, column) => rows.every((row) => /^[\d.]*( \w+)?$/.test(row[column] ?? '')));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => pad(cell, widths[column] ?? 0, numeric[column] ?? false))
      .join('   ')
      .trimEnd();
  stdout.write(`\n  ${bold(line(header))}\n`);
  for (const row of rows) stdout.write(`  ${line(row)}\n`);
}

function pad(text: string, columns: number, right: boolean): string {
  const space = ' '.repeat(Math.max(0, columns - width(text)));
  return right ? space + text : text + space;
}

/** Columns on the screen: without the escape sequences of colours. */
function width(text: string): number {
  // oxlint-disable-next-line no-control-regex -- that is what an escape sequence is
  return text.replaceAll(/\u001b\[\d+m/g, '').length;
}
