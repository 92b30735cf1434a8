import type { Extent } from '../../domain/extents.ts';
import type { Range } from './block-sizes.ts';
import { NbdProtocolError, type NbdServerError } from './errors.ts';
import type { Framing } from './handshake.ts';
import { EXTENDED_REQUEST_MAGIC, REQUEST_MAGIC } from './protocol.ts';

/** A request under way: what the server still owes, and where it goes. */
interface RequestBase extends Range {
  /** The first error the server reported for it; the request ends only with its last chunk. */
  error: NbdServerError | null;
  readonly reject: (error: Error) => void;
}

export interface ReadRequest extends RequestBase {
  readonly kind: 'read';
  readonly buffer: Buffer;
  /** What has been filled, as [start, end) within the buffer. */
  readonly filled: [number, number][];
  readonly resolve: () => void;
}

export interface StatusRequest extends RequestBase {
  readonly kind: 'status';
  readonly extents: Map<string, readonly Extent[]>;
  readonly resolve: (extents: ReadonlyMap<string, readonly Extent[]>) => void;
}

export type Request = ReadRequest | StatusRequest;

/** No honest server cuts one read into so many pieces that do not touch. */
const MAX_PIECES = 4096;

/**
 * Notes that a chunk fills `length` bytes at `offset` (of the export), and gives the place in the buffer.
 * @throws NbdProtocolError if that is outside the request, or in too many pieces
 */
export function claim(request: ReadRequest, offset: number, length: number): Buffer {
  const start = offset - request.offset;
  const end = start + length;
  if (length === 0 || start < 0 || end > request.length) {
    throw new NbdProtocolError(
      `a chunk of ${length} bytes at ${offset}, where ${request.length} at ${request.offset} were asked`,
    );
  }
  const last = request.filled.at(-1);
  if (last && last[1] === start) last[1] = end;
  else request.filled.push([start, end]);
  if (request.filled.length > MAX_PIECES)
    throw new NbdProtocolError('a read answered in thousands of pieces');
  return request.buffer.subarray(start, end);
}

/**
 * Ends a request after its last chunk. It must still be among the open ones: if this throws, the connection fails with them.
 * @throws NbdProtocolError if the server left out a part: old bytes of the buffer would pass for the disk's
 */
export function finish(request: Request, contexts: ReadonlyMap<string, number>): void {
  if (request.error) {
    request.reject(request.error);
  } else if (request.kind === 'read') {
    if (!isWhole(request))
      throw new NbdProtocolError(`a read at ${request.offset} answered in part only, or in part twice`);
    request.resolve();
  } else {
    for (const name of contexts.keys()) {
      if (!request.extents.has(name))
        throw new NbdProtocolError(`a block status without the context ${name}`);
    }
    request.resolve(request.extents);
  }
}

function isWhole(request: ReadRequest): boolean {
  let until = 0;
  for (const [start, end] of request.filled.sort((a, b) => a[0] - b[0])) {
    if (start !== until) return false;
    until = end;
  }
  return until === request.length;
}

/**
 * The request on the wire (proto.md, "Request message"). No command flag is of use here: DF would have holes sent as zeros,
 * REQ_ONE would have one extent told at a time.
 *
 *     compact   magic32 flags16 type16 cookie64 offset64 length32
 *     extended  magic32 flags16 type16 cookie64 offset64 length64
 */
export function encodeRequest(
  framing: Framing,
  command: number,
  cookie: number,
  { offset, length }: Range,
): Buffer {
  const isExtended = framing === 'extended';
  const bytes = Buffer.alloc(isExtended ? 32 : 28);
  bytes.writeUInt32BE(isExtended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC, 0);
  bytes.writeUInt16BE(command, 6);
  bytes.writeUInt32BE(cookie, 12);
  writeLength64(bytes, offset, 16);
  if (isExtended) writeLength64(bytes, length, 24);
  else bytes.writeUInt32BE(length, 24);
  return bytes;
}

function writeLength64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), at);
  bytes.writeUInt32BE(value % 0x1_0000_0000, at + 4);
}
