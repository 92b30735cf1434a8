import type { Output } from '../terminal.ts';

const WRAP_OFF = '\u001b[?7l';
const WRAP_ON = '\u001b[?7h';
const CLEAR_REST = '\u001b[K';

/** A line that changes in place on a terminal; elsewhere each change is a line of its own. */
export class LiveLine {
  readonly #output: Output;
  #shown = '';

  constructor(output: Output) {
    this.#output = output;
  }

  show(text: string): void {
    if (text === this.#shown) return;
    this.#shown = text;
    // Cut at the edge: what wraps could not be overwritten any more.
    this.#output.write(this.#output.isTTY ? `\r${WRAP_OFF}${text}${CLEAR_REST}${WRAP_ON}` : `${text}\n`);
  }

  /** Leaves the line, now in full: what is written next begins below it. */
  end(): void {
    if (this.#output.isTTY && this.#shown !== '') this.#output.write(`\r${this.#shown}${CLEAR_REST}\n`);
    this.#shown = '';
  }
}
