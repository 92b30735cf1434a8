import type { Framing } from '../../../src/mover/nbd/handshake.ts';

/** A request as it came over the wire. */
export interface FakeRequest {
  readonly framing: Framing;
  readonly flags: number;
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
}

export const u16 = (n: number): Buffer => Buffer.from([n >>> 8, n & 255]);
export const u32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(n);
  return bytes;
};
export const u64 = (n: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(n));
  return bytes;
};

/** One reply to an option: an ACK, an error, or what comes before them. */
export function optionReply(option: number, type: number, payload: Buffer | string = ''): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([u64(0x3e889045565a9n), u32(option), u32(type), u32(body.length), body]);
}

/** What stands before a chunk's payload; `length` may be a lie. */
export function chunkHead(request: FakeRequest, type: number, length: number, isLast: boolean): Buffer {
  const what = [u16(isLast ? 1 : 0), u16(type), u64(request.cookie)];
  return request.framing === 'extended'
    ? Buffer.concat([u32(0x6e8a278c), ...what, u64(request.offset), u64(length)])
    : Buffer.concat([u32(0x668e33ef), ...what, u32(length)]);
}

export function chunk(request: FakeRequest, type: number, payload: Buffer, isLast: boolean): Buffer {
  return Buffer.concat([chunkHead(request, type, payload.length, isLast), payload]);
}

export function simpleReply(request: FakeRequest, errno: number, data: Buffer = Buffer.alloc(0)): Buffer {
  return Buffer.concat([u32(0x67446698), u32(errno), u64(request.cookie), data]);
}

export function errorChunk(request: FakeRequest, errno: number, text: string, isLast = true): Buffer {
  return chunk(request, 0x8001, Buffer.concat([u32(errno), u16(text.length), Buffer.from(text)]), isLast);
}

export function dataChunk(request: FakeRequest, offset: number, data: Buffer, isLast: boolean): Buffer {
  return chunk(request, 1, Buffer.concat([u64(offset), data]), isLast);
}

export function holeChunk(request: FakeRequest, offset: number, length: number, isLast: boolean): Buffer {
  return chunk(request, 2, Buffer.concat([u64(offset), u32(length)]), isLast);
}

/** What one context says: pairs of length and flags. */
export function statusChunk(
  request: FakeRequest,
  context: number,
  extents: readonly (readonly [length: number, flags: number])[],
  isLast: boolean,
): Buffer {
  const isWide = request.framing === 'extended';
  const headBytes = isWide ? 8 : 4;
  const each = isWide ? 16 : 8;
  const body = Buffer.alloc(headBytes + extents.length * each);
  body.writeUInt32BE(context, 0);
  if (isWide) body.writeUInt32BE(extents.length, 4);
  extents.forEach(([length, flags], i) => {
    const at = headBytes + i * each;
    if (isWide) body.writeBigUInt64BE(BigInt(length), at);
    else body.writeUInt32BE(length, at);
    body.writeUInt32BE(flags, at + each - 4);
  });
  return chunk(request, isWide ? 6 : 5, body, isLast);
}
