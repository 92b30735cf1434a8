import type { BlockSource } from '../qcow2/block-source.ts';
import { CLUSTER_BYTES, L2_SPAN_BYTES, TABLE_ENTRIES } from '../qcow2/layout.ts';
import { ImageTables, type Window } from '../qcow2/tables.ts';
import { Fault, type Range } from './faults.ts';

/**
 * For each damaged part of an image file, the parts of the disk that lie there, neighbours as one. Where a table itself is
 * damaged, all that it maps counts, because nobody can tell; where the header is, the whole disk does.
 * @param damaged in rising order
 */
export function guestRanges(
  source: BlockSource,
  virtualSizeBytes: number,
  damaged: readonly Range[],
): readonly (readonly Range[])[] {
  const found: Range[][] = damaged.map(() => []);
  const add = (index: number, start: number, wantedEnd: number): void => {
    const ranges = found[index]!;
    const end = Math.min(wantedEnd, virtualSizeBytes);
    const last = ranges.at(-1);
    if (last?.end === start) ranges[ranges.length - 1] = { start: last.start, end };
    else if (start < end) ranges.push({ start, end });
  };
  /** All damaged parts that a part of the file touches. */
  const addTouched = (file: Range, start: number, end: number): void => {
    for (
      let i = firstEndingAfter(damaged, file.start);
      i < damaged.length && damaged[i]!.start < file.end;
      i++
    )
      add(i, start, end);
  };
  /** Runs a look into the tables; what cannot be read there is damage of all that `start` to `end` maps. */
  const look = <T>(start: number, end: number, step: () => T): T | null => {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      if (error.range) addTouched(error.range, start, end);
      return null;
    }
  };
  const tables = look(0, virtualSizeBytes, () => new ImageTables(source));
  for (let index = 0; index < (tables?.windows ?? 0); index++) {
    const start = index * L2_SPAN_BYTES;
    const window = look(start, start + L2_SPAN_BYTES, () => tables!.window(index));
    if (window) eachStored(window, look, start, addTouched);
  }
  return found;
}

function eachStored(
  window: Window,
  look: <T>(start: number, end: number, step: () => T) => T | null,
  windowStart: number,
  found: (file: Range, start: number, end: number) => void,
): void {
  for (let cluster = 0; cluster < TABLE_ENTRIES; cluster++) {
    const start = windowStart + cluster * CLUSTER_BYTES;
    const end = start + CLUSTER_BYTES;
    const entry = look(start, end, () => window(cluster));
    if (entry?.kind !== 'plain' && entry?.kind !== 'packed') continue;
    const bytes = entry.kind === 'plain' ? CLUSTER_BYTES : entry.storedBytes;
    found({ start: entry.host, end: entry.host + bytes }, start, end);
  }
}

function firstEndingAfter(ranges: readonly Range[], position: number): number {
  let low = 0;
  for (let high = ranges.length; low < high; ) {
    const middle = (low + high) >>> 1;
    if (ranges[middle]!.end > position) high = middle;
    else low = middle + 1;
  }
  return low;
}
