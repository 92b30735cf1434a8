/** A part of the answer: a title, and sentences under it. */
export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}
