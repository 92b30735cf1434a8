import type { Output } from '../terminal.ts';

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
    this.#output.write(this.#output.isTTY ? `\r${text}\u001b[K` : `${text}\n`);
  }

  /** Leaves the line: what is written next begins below it. */
  end(): void {
    if (this.#output.isTTY && this.#shown !== '') this.#output.write('\n');
    this.#shown = '';
  }
}
