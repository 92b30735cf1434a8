import type { Terminal } from '../terminal.ts';

export type Tone = 'good' | 'warn' | 'bad' | 'dim' | 'bold';

/** Text with a meaning: what it looks like is decided where it is written. */
export interface Styled {
  readonly text: string;
  readonly tone?: Tone | undefined;
}

/** Turns styled text into what a screen takes. */
export type Painter = (styled: Styled) => string;

const codes: Readonly<Record<Tone, number>> = { good: 32, warn: 33, bad: 31, dim: 2, bold: 1 };

/** Colours on a terminal, and nowhere else; never with NO_COLOR (https://no-color.org), and never unless `wanted`. */
export function painterFor({ stdout, env }: Pick<Terminal, 'stdout' | 'env'>, wanted: boolean): Painter {
  const colourless =
    !wanted || stdout.isTTY !== true || (env['NO_COLOR'] ?? '') !== '' || env['TERM'] === 'dumb';
  return colourless ? ({ text }) => printable(text) : paint;
}

/** Without colours. */
export const plain: Painter = ({ text }) => printable(text);

function paint({ text, tone }: Styled): string {
  const shown = printable(text);
  return tone === undefined ? shown : `\u001b[${codes[tone]}m${shown}\u001b[0m`;
}

/** What a cluster says may hold anything; only we may steer the terminal. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}+/gu, ' ');
}
