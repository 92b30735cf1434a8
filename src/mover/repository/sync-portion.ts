const MIB = 1024 * 1024;
const SMALLEST_BYTES = 4 * MIB;
const LARGEST_BYTES = 256 * MIB;
/** How long a sync should take at most. While it lasts there is no progress to tell, and the caller takes silence for a stall. */
const LONGEST_MILLISECONDS = 2000;

export const FIRST_PORTION_BYTES = 16 * MIB;

/** How much to write before the next sync, from what the last one took: twice as much where it was quick, less where it was slow. */
export function nextPortion(bytes: number, milliseconds: number): number {
  const bearable = (bytes * LONGEST_MILLISECONDS) / Math.max(1, milliseconds);
  return Math.round(Math.min(LARGEST_BYTES, Math.max(SMALLEST_BYTES, Math.min(bytes * 2, bearable))));
}
