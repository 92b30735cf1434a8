import { inWords, type Range } from './faults.ts';

/** A damaged part of an image file, and why it counts as such. */
export interface Damage extends Range {
  readonly why: string;
}

/** More parts than anyone reads: the rest is only counted. */
const MAX_PARTS = 100;

/** Collects damage in rising order, neighbours as one. */
export class DamageList {
  readonly parts: Damage[] = [];
  /** Parts beyond those that are listed. */
  more = 0;
  #lastEnd = -1;

  add({ start, end, why }: Damage): void {
    const last = this.parts.at(-1);
    if (last?.end === start && last.why === why) this.parts[this.parts.length - 1] = { ...last, end };
    else if (this.parts.length < MAX_PARTS) this.parts.push({ start, end, why });
    else if (this.#lastEnd !== start) this.more++;
    this.#lastEnd = end;
  }
}

/** `(bytes 0 to 65535 of the disk)`: what a damaged part of a file means to the guest. */
export function guestWords(ranges: readonly Range[]): string {
  if (ranges.length === 0) return '(no bytes of the disk)';
  const some = ranges.slice(0, 3).map(inWords).join(', ');
  const rest = ranges.length > 3 ? ` and ${ranges.length - 3} more ranges` : '';
  return `(${some}${rest} of the disk)`;
}
