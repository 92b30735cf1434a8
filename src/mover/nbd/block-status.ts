import type { Extent } from '../../domain/extents.ts';
import { NbdProtocolError } from './errors.ts';
import type { NbdExport } from './handshake.ts';
import type { Request } from './requests.ts';
import { readLength64, take, takeFew, type Wants } from './wants.ts';

/** Most descriptors in one chunk: nbdkit sends so many, QEMU an eighth of it. */
const MAX_DESCRIPTORS = 1024 * 1024;
/** So many extents are kept of an answer; the rest is asked for again. Some 10 MiB of memory. */
const MAX_EXTENTS = 128 * 1024;
/** The payload is read in pieces: it need not be in memory as a whole. */
const PIECE_BYTES = 64 * 1024;

/**
 * Reads what one context says: extents one after another from the request's offset on (proto.md, "NBD_CMD_BLOCK_STATUS").
 *
 *     compact   context32           then length32 flags32 for each
 *     extended  context32 count32   then length64 flags64 for each
 *
 * A server may tell less than was asked, or more, and may cut one extent in many; docs/nbd.md draws the ways. What is kept
 * lies within the request, without a gap, and neighbours differ in their flags.
 */
export function* statusChunk(request: Request, length: number, agreed: NbdExport): Wants<void> {
  if (request.kind !== 'status') throw new NbdProtocolError('a block status in answer to a read');
  const isExtended = agreed.framing === 'extended';
  const headBytes = isExtended ? 8 : 4;
  const descriptorBytes = isExtended ? 16 : 8;
  const count = (length - headBytes) / descriptorBytes;
  if (!Number.isInteger(count) || count < 1 || count > MAX_DESCRIPTORS)
    throw new NbdProtocolError(`a block status of ${length} bytes`);
  const head = yield* takeFew(headBytes);
  // Zero stands for "as many as there are".
  if (isExtended && ![0, count].includes(head.readUInt32BE(4)))
    throw new NbdProtocolError(`a block status of ${head.readUInt32BE(4)} extents in ${length} bytes`);
  const id = head.readUInt32BE(0);
  const name = [...agreed.contexts].find(([, value]) => value === id)?.[0];
  if (name === undefined || request.extents.has(name))
    throw new NbdProtocolError(`a block status for context ${id}`);

  const extents = new Extents(request.offset, request.offset + request.length);
  request.extents.set(name, extents.all);
  for (let left = count * descriptorBytes; left > 0; ) {
    const piece = yield* take(Math.min(left, PIECE_BYTES), PIECE_BYTES, 'a block status');
    for (let at = 0; at < piece.length; at += descriptorBytes) {
      if (isExtended) extents.add(readLength64(piece, at, 'an extent'), piece.readUInt32BE(at + 12));
      else extents.add(piece.readUInt32BE(at), piece.readUInt32BE(at + 4));
    }
    left -= piece.length;
  }
}

/** Extents as they come in: merged where they are alike, cut off at the end. Of wide flags the low half, where all known are. */
class Extents {
  readonly all: Extent[] = [];
  readonly #end: number;
  #offset: number;
  #isFull = false;

  constructor(offset: number, end: number) {
    this.#offset = offset;
    this.#end = end;
  }

  add(told: number, flags: number): void {
    if (told === 0) throw new NbdProtocolError('an extent of no length');
    const offset = this.#offset;
    const length = Math.min(told, this.#end - offset);
    if (length === 0 || this.#isFull) return;
    const last = this.all.at(-1);
    if (last?.flags === flags) {
      this.all[this.all.length - 1] = { ...last, length: last.length + length };
    } else if (this.all.length < MAX_EXTENTS) {
      this.all.push({ offset, length, flags });
    } else {
      this.#isFull = true;
      return;
    }
    this.#offset = offset + length;
  }
}
