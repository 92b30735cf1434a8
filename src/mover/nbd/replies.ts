import { type ChunkHead, chunk, serverError } from './chunks.ts';
import { NbdProtocolError } from './errors.ts';
import type { NbdExport } from './handshake.ts';
import { EXTENDED_REPLY_MAGIC, ReplyFlag, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC } from './protocol.ts';
import { claim, finish, type Request } from './requests.ts';
import { readLength64, takeFew, type Wants } from './wants.ts';

/**
 * Reads replies for ever, in whatever order they come, each into its own request (proto.md, "Transmission phase").
 *
 *     simple      magic32 error32 cookie64 [data]
 *     structured  magic32 flags16 type16 cookie64 length32 payload             one or more chunks, until the flag DONE
 *     extended    magic32 flags16 type16 cookie64 offset64 length64 payload    the same, with the request's offset
 */
export function* replies(open: Map<number, Request>, agreed: NbdExport): Wants<never> {
  for (;;) {
    const head = yield* takeFew(agreed.framing === 'extended' ? 32 : 16);
    const cookie = head.readUInt32BE(12);
    const request = open.get(cookie);
    if (!request || head.readUInt32BE(8) !== 0)
      throw new NbdProtocolError('a reply to a request that was not made');
    if (yield* oneReply(head, request, agreed)) {
      finish(request, agreed.contexts);
      open.delete(cookie);
    }
  }
}

/** @returns whether it was the last one for its request */
function* oneReply(head: Buffer, request: Request, agreed: NbdExport): Wants<boolean> {
  const magic = head.readUInt32BE(0);
  if (agreed.framing === 'extended') {
    if (magic !== EXTENDED_REPLY_MAGIC) throw new NbdProtocolError('a reply without its magic number');
    if (readLength64(head, 16, 'an offset') !== request.offset)
      throw new NbdProtocolError('a reply with the offset of another request');
    return yield* oneChunk(head, readLength64(head, 24, 'a chunk'), request, agreed);
  }
  if (magic === SIMPLE_REPLY_MAGIC) {
    yield* simpleReply(request, head.readUInt32BE(4), agreed);
    return true;
  }
  if (magic !== STRUCTURED_REPLY_MAGIC || agreed.framing === 'simple')
    throw new NbdProtocolError('a reply without its magic number');
  return yield* oneChunk(head, (yield* takeFew(4)).readUInt32BE(0), request, agreed);
}

function* oneChunk(head: Buffer, length: number, request: Request, agreed: NbdExport): Wants<boolean> {
  const isLast = (head.readUInt16BE(4) & ReplyFlag.done) !== 0;
  const what: ChunkHead = { type: head.readUInt16BE(6), length, isLast };
  yield* chunk(request, what, agreed);
  return isLast;
}

function* simpleReply(request: Request, errno: number, agreed: NbdExport): Wants<void> {
  if (errno !== 0) request.error = serverError(request, errno, '');
  else if (request.kind === 'status' || agreed.framing !== 'simple')
    throw new NbdProtocolError('a simple reply to a structured request');
  else yield claim(request, request.offset, request.length);
}
