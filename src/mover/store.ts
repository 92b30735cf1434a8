import { PLAIN, ZEROS } from './pack/pack-cluster.ts';
import type { FromThread } from './pack/wire.ts';
import { CLUSTER_BYTES } from './qcow2/layout.ts';
import type { Qcow2Writer } from './qcow2/writer.ts';
import type { Part, Slab } from './slabs.ts';
import { zeroRuns } from './zero-runs.ts';

/** Puts a slab's parts into the image, in their order. `sizes`: what became of its clusters, where they were packed. */
export function storeSlab(image: Qcow2Writer, slab: Slab, sizes: FromThread | null): void {
  for (const part of slab.parts) {
    if (part.kind === 'zero') image.writeZeros(part.offset, part.length);
    else if (part.kind === 'data' && sizes) storePacked(image, part, slab, sizes);
    else if (part.kind === 'data') storePlain(image, part, slab);
  }
}

function storePlain(image: Qcow2Writer, { offset, at, storedLength }: Part, { buffer }: Slab): void {
  const clusters = buffer.subarray(at, at + storedLength);
  for (const { start, end, isZero } of zeroRuns(clusters)) {
    if (isZero) image.writeZeros(offset + start, end - start);
    else image.writeData(offset + start, clusters.subarray(start, end));
  }
}

function storePacked(
  image: Qcow2Writer,
  { offset, at, storedLength }: Part,
  { buffer, frames }: Slab,
  sizes: FromThread,
): void {
  for (let done = 0; done < storedLength; done += CLUSTER_BYTES) {
    const start = at + done;
    const size = sizes[start / CLUSTER_BYTES]!;
    if (size === ZEROS) image.writeZeros(offset + done, CLUSTER_BYTES);
    else if (size === PLAIN) image.writeData(offset + done, buffer.subarray(start, start + CLUSTER_BYTES));
    else image.writePacked(offset + done, frames.subarray(start, start + size));
  }
}
