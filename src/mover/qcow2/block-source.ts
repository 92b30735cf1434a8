/**
 * An image file as its readers see it: whole blocks of 64 KiB, each proven before it is handed over. Two live ones: a file
 * with its sums, and bytes in memory for tests.
 */
export interface BlockSource {
  /** Size of the file. */
  readonly bytes: number;
  /**
   * Fills `into` with blocks `first` to `first + count - 1`; the last block of a file may be shorter.
   * @throws what `damaged` gives, if a block cannot be read or is not what was written
   */
  readBlocks(first: number, count: number, into: Buffer): void;
  /** The error that says what is wrong with this file. */
  damaged(why: string): Error;
}
