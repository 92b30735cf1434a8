import type { Extent } from '../../domain/extents.ts';
import { NbdGone, NbdProtocolError, NbdServerError } from './errors.ts';
import type { NbdExport } from './handshake.ts';
import {
  Chunk,
  ESHUTDOWN,
  errnoNames,
  ReplyFlag,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_MAGIC,
} from './protocol.ts';
import { claim, finish, type ReadRequest, type Request, type StatusRequest } from './requests.ts';
import { printable, readLength64, take, takeFew, type Wants } from './wants.ts';

/** Twice what QEMU sends at most (NBD_MAX_BITMAP_EXTENTS, 1 MiB of them). */
const MAX_STATUS_BYTES = 2 * 1024 * 1024;
const MAX_ERROR_BYTES = 64 * 1024;

/**
 * Reads replies for ever, in whatever order they come, each into its own request (proto.md, "Transmission phase").
 *
 *     simple      magic32 error32 cookie64 [data]
 *     structured  magic32 flags16 type16 cookie64 length32 payload, one or more chunks until the flag DONE
 */
export function* replies(open: Map<number, Request>, agreed: NbdExport): Wants<never> {
  for (;;) {
    const head = yield* takeFew(16);
    const magic = head.readUInt32BE(0);
    const cookie = head.readUInt32BE(12);
    const request = open.get(cookie);
    if (!request || head.readUInt32BE(8) !== 0)
      throw new NbdProtocolError('a reply to a request that was not made');
    if (magic === SIMPLE_REPLY_MAGIC) {
      yield* simpleReply(request, head.readUInt32BE(4), agreed);
      finish(request, agreed.contexts);
      open.delete(cookie);
    } else if (magic === STRUCTURED_REPLY_MAGIC && agreed.structuredReplies) {
      const isLast = (head.readUInt16BE(4) & ReplyFlag.done) !== 0;
      yield* chunk(request, head.readUInt16BE(6), isLast, agreed.contexts);
      if (isLast) {
        finish(request, agreed.contexts);
        open.delete(cookie);
      }
    } else {
      throw new NbdProtocolError('a reply without its magic number');
    }
  }
}

function* simpleReply(request: Request, errno: number, agreed: NbdExport): Wants<void> {
  if (errno !== 0) request.error = serverError(request, errno, '');
  else if (request.kind === 'status' || agreed.structuredReplies)
    throw new NbdProtocolError('a simple reply to a structured request');
  else yield claim(request, request.offset, request.length);
}

function* chunk(
  request: Request,
  type: number,
  isLast: boolean,
  contexts: ReadonlyMap<string, number>,
): Wants<void> {
  const length = (yield* takeFew(4)).readUInt32BE(0);
  if (type === Chunk.offsetData) yield* dataChunk(readOf(request), length);
  else if (type === Chunk.offsetHole) yield* holeChunk(readOf(request), length);
  else if (type === Chunk.blockStatus) yield* statusChunk(request, length, contexts);
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

/** context32, then length32 flags32 for each extent, one after another from the request's offset on. */
function* statusChunk(request: Request, length: number, contexts: ReadonlyMap<string, number>): Wants<void> {
  if (request.kind !== 'status') throw new NbdProtocolError('a block status in answer to a read');
  if (length < 12 || length % 8 !== 4) throw new NbdProtocolError(`a block status of ${length} bytes`);
  const payload = yield* take(length, MAX_STATUS_BYTES, 'a block status');
  const id = payload.readUInt32BE(0);
  const name = [...contexts].find(([, value]) => value === id)?.[0];
  if (name === undefined || request.extents.has(name))
    throw new NbdProtocolError(`a block status for context ${id}`);
  request.extents.set(name, [...extentsOf(payload, request)]);
}

/** The last extent may go beyond what was asked ("NBD_CMD_BLOCK_STATUS"): it is cut off. */
function* extentsOf(payload: Buffer, request: StatusRequest): Generator<Extent, void, void> {
  const end = request.offset + request.length;
  let offset = request.offset;
  for (let at = 4; at < payload.length && offset < end; at += 8) {
    const length = payload.readUInt32BE(at);
    if (length === 0) throw new NbdProtocolError('an extent of no length');
    yield { offset, length: Math.min(length, end - offset), flags: payload.readUInt32BE(at + 4) };
    offset += length;
  }
}

/** error32 messageLength16 message, and for some types an offset. */
function* errorChunk(request: Request, type: number, length: number): Wants<void> {
  const payload = yield* take(length, MAX_ERROR_BYTES, 'an error');
  if (length < 6) throw new NbdProtocolError(`an error chunk of ${length} bytes`);
  const textBytes = payload.readUInt16BE(4);
  if (6 + textBytes > length) throw new NbdProtocolError('an error message longer than its chunk');
  const hasOffset = type === Chunk.errorOffset && length >= 14 + textBytes;
  const where = hasOffset ? ` at ${readLength64(payload, 6 + textBytes, 'an offset')}` : '';
  request.error ??= serverError(
    request,
    payload.readUInt32BE(0),
    `${printable(payload.subarray(6, 6 + textBytes))}${where}`,
  );
}

function serverError(request: Request, errno: number, text: string): NbdServerError {
  if (errno === ESHUTDOWN)
    throw new NbdGone('the NBD server is shutting down: the backup job or the VM ended');
  const name = errnoNames.get(errno) ?? `error ${errno}`;
  const what = request.kind === 'read' ? 'reading' : 'the block status of';
  return new NbdServerError(
    errno,
    `${what} ${request.length} bytes at ${request.offset} failed: ${name}${text ? ` (${text})` : ''}`,
  );
}
