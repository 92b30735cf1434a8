import type { Extent } from '../../domain/extents.ts';
import { aligned, cut, type Range, statusRange } from './block-sizes.ts';
import { NbdProtocolError } from './errors.ts';
import type { NbdExport } from './handshake.ts';

export type BlockStatus = ReadonlyMap<string, readonly Extent[]>;

/** Asks the server for exactly this. */
export interface Ask {
  readonly read: (range: Range, buffer: Buffer) => Promise<void>;
  readonly status: (range: Range) => Promise<BlockStatus>;
}

/**
 * Reads any range of the export by requests that the server takes: whole blocks, none too long.
 *
 *     asked          |---------------|
 *     blocks      |......|......|......|......|     grown to whole ones, by way of a buffer of its own
 *     requests    |-------------|------|            cut where it is too long
 *
 * A range that fits as it is, as all of a backup's do, costs nothing here.
 * @throws RangeError if it is not within the export
 */
export async function readFitted(agreed: NbdExport, ask: Ask, offset: number, buffer: Buffer): Promise<void> {
  const asked = { offset, length: buffer.length };
  const range = alignedWithin(asked, agreed);
  const isAligned = range.length === asked.length;
  if (isAligned && range.length <= agreed.maximumBlockBytes) return await ask.read(range, buffer);
  const whole = isAligned ? buffer : Buffer.allocUnsafeSlow(range.length);
  const parts = [...cut(range, agreed)].map(async (part) => {
    const at = part.offset - range.offset;
    await ask.read(part, whole.subarray(at, at + part.length));
  });
  // The buffer is not the caller's again before the last of them has settled.
  for (const part of await Promise.allSettled(parts)) if (part.status === 'rejected') throw part.reason;
  if (!isAligned) whole.copy(buffer, 0, offset - range.offset);
}

/**
 * Asks what each context says from `offset` on, by a request that the server takes.
 * @throws NbdProtocolError if it says nothing of use; RangeError if the range is not within the export
 */
export async function statusFitted(agreed: NbdExport, ask: Ask, asked: Range): Promise<BlockStatus> {
  if (agreed.contexts.size === 0) return new Map();
  const range = statusRange(alignedWithin(asked, agreed), agreed.framing === 'extended');
  const answer = await ask.status(range);
  if (range.offset === asked.offset && range.length <= asked.length) return answer;
  const end = asked.offset + asked.length;
  return new Map([...answer].map(([name, extents]) => [name, [...clipped(extents, asked.offset, end)]]));
}

function* clipped(extents: readonly Extent[], start: number, end: number): Generator<Extent, void, void> {
  let until = start;
  for (const extent of extents) {
    const from = Math.max(extent.offset, start);
    until = Math.min(extent.offset + extent.length, end);
    if (until > from) yield { offset: from, length: until - from, flags: extent.flags };
  }
  if (until <= start) throw new NbdProtocolError('a block status that ends within one block');
}

function alignedWithin(asked: Range, agreed: NbdExport): Range {
  if (asked.offset < 0 || asked.length <= 0 || asked.offset + asked.length > agreed.sizeBytes)
    throw new RangeError(
      `${asked.length} bytes at ${asked.offset} are not within an export of ${agreed.sizeBytes}`,
    );
  return aligned(asked, agreed, agreed.sizeBytes);
}
