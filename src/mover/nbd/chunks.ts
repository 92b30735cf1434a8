import { statusChunk } from './block-status.ts';
import { NbdGone, NbdProtocolError, NbdServerError } from './errors.ts';
import type { NbdExport } from './handshake.ts';
import { Chunk, ESHUTDOWN, errnoNames } from './protocol.ts';
import { claim, type ReadRequest, type Request } from './requests.ts';
import { printable, readLength64, take, takeFew, type Wants } from './wants.ts';

/** What a chunk says of itself before its payload. */
export interface ChunkHead {
  readonly type: number;
  /** Of the payload, in bytes. */
  readonly length: number;
  readonly isLast: boolean;
}

/** A message has at most 4096 bytes (proto.md, "Protocol phases"); head room for error types yet to come. */
const MAX_ERROR_BYTES = 8 * 1024;

/**
 * Reads the payload of one chunk into its request (proto.md, "Structured reply types").
 * @throws NbdProtocolError if it is none that answers this request; NbdGone if the server is shutting down
 */
export function* chunk(request: Request, head: ChunkHead, agreed: NbdExport): Wants<void> {
  const { type, length, isLast } = head;
  const status = agreed.framing === 'extended' ? Chunk.blockStatusExtended : Chunk.blockStatus;
  if (type === Chunk.offsetData) yield* dataChunk(readOf(request), length);
  else if (type === Chunk.offsetHole) yield* holeChunk(readOf(request), length);
  else if (type === status) yield* statusChunk(request, length, agreed);
  else if ((type & Chunk.errorBit) !== 0) yield* errorChunk(request, type, length);
  else if (type !== Chunk.none || length !== 0 || !isLast)
    throw new NbdProtocolError(`a chunk of type ${type} and ${length} bytes`);
}

function readOf(request: Request): ReadRequest {
  if (request.kind !== 'read') throw new NbdProtocolError('data in answer to a block status');
  return request;
}

/** offset64, then the bytes: straight into the reader's buffer. */
function* dataChunk(request: ReadRequest, length: number): Wants<void> {
  if (length <= 8) throw new NbdProtocolError('a data chunk without data');
  const offset = readLength64(yield* takeFew(8), 0, 'an offset');
  yield claim(request, offset, length - 8);
}

/** offset64 length32: this reads as zeros. */
function* holeChunk(request: ReadRequest, length: number): Wants<void> {
  if (length !== 12) throw new NbdProtocolError(`a hole chunk of ${length} bytes`);
  const hole = yield* takeFew(12);
  claim(request, readLength64(hole, 0, 'an offset'), hole.readUInt32BE(8)).fill(0);
}

/** error32 messageLength16 message, and for one type the offset. */
function* errorChunk(request: Request, type: number, length: number): Wants<void> {
  const payload = yield* take(length, MAX_ERROR_BYTES, 'an error');
  if (length < 6) throw new NbdProtocolError(`an error chunk of ${length} bytes`);
  const end = 6 + payload.readUInt16BE(4);
  if (end > length) throw new NbdProtocolError('an error message longer than its chunk');
  const hasOffset = type === Chunk.errorOffset && length >= end + 8;
  const where = hasOffset ? ` at ${readLength64(payload, end, 'an offset')}` : '';
  const text = `${printable(payload.subarray(6, end))}${where}`;
  // Only the first is told, but any of them may say that the server is leaving.
  const error = serverError(request, payload.readUInt32BE(0), text);
  request.error ??= error;
}

/** @throws NbdGone if the error is that the server is shutting down */
export function serverError(request: Request, errno: number, text: string): NbdServerError {
  if (errno === ESHUTDOWN)
    throw new NbdGone('the NBD server is shutting down: the backup job or the VM ended');
  const name = errnoNames.get(errno) ?? `error ${errno}`;
  const what = request.kind === 'read' ? 'reading' : 'the block status of';
  return new NbdServerError(
    errno,
    `${what} ${request.length} bytes at ${request.offset} failed: ${name}${text ? ` (${text})` : ''}`,
  );
}
