import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Extent } from '../../../src/domain/extents.ts';
import { type NbdAddress, parseNbdUri } from '../../../src/mover/nbd/uri.ts';

/** A request as it came over the wire. */
export interface FakeRequest {
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
}

/** What the server is, and how it misbehaves. Without any of the latter it is honest and plain. */
export interface FakeDisk {
  readonly content: Buffer;
  /** Context name → extents that cover the disk. */
  readonly contexts?: Readonly<Record<string, readonly Extent[]>>;
  /** Answers in pieces of so many bytes. */
  readonly fragmentBytes?: number;
  /** Waits until this many requests are there, and answers the last one first. */
  readonly reorder?: number;
  readonly maximumBlockBytes?: number;
  /** Speaks only simple replies, like a server of old. */
  readonly simpleOnly?: boolean;
  /** How much of a block status to tell, as extents from the request's offset on. */
  readonly cutStatus?: (extents: readonly Extent[], context: string) => readonly Extent[];
  /** Another answer than the honest one; `null` says nothing at all, `'hangup'` ends the connection. */
  readonly answer?: (request: FakeRequest, honest: readonly Buffer[]) => readonly Buffer[] | null | 'hangup';
  /** Another greeting than the honest one; `null` for silence. */
  readonly greeting?: Buffer | null;
  /** Another answer to an option; `undefined` for the honest one. */
  readonly option?: (option: number, honest: Buffer) => Buffer | 'hangup' | undefined;
}

export interface FakeServer extends AsyncDisposable {
  readonly address: NbdAddress;
  readonly requests: readonly FakeRequest[];
}

const u16 = (n: number): Buffer => Buffer.from([n >>> 8, n & 255]);
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

export function chunk(request: FakeRequest, type: number, payload: Buffer, isLast: boolean): Buffer {
  return Buffer.concat([
    u32(0x668e33ef),
    u16(isLast ? 1 : 0),
    u16(type),
    u64(request.cookie),
    u32(payload.length),
    payload,
  ]);
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

/** Serves one disk on a unix socket of its own, to any number of clients, until disposed of. */
export async function serveFake(disk: FakeDisk): Promise<FakeServer> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-nbd-'));
  const path = join(directory, 's');
  const sockets = new Set<Socket>();
  const requests: FakeRequest[] = [];
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    converse(socket, disk, requests).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: parseNbdUri(`nbd+unix:///disk?socket=${path}`),
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function converse(socket: Socket, disk: FakeDisk, requests: FakeRequest[]): Promise<void> {
  const take = reader(socket);
  const send = sender(socket, disk.fragmentBytes);
  if (disk.greeting === null) return;
  await send(disk.greeting ?? Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), u16(3)]));
  await take(4);
  for (let isOpen = false; !isOpen; ) {
    const head = await take(16);
    const option = head.readUInt32BE(8);
    const honest = answerOption(option, await take(head.readUInt32BE(12)), disk);
    const answer = disk.option?.(option, honest) ?? honest;
    if (answer === 'hangup') return void socket.destroy();
    await send(answer);
    isOpen = option === 7;
  }
  let waiting: FakeRequest[] = [];
  for (;;) {
    const head = await take(28);
    const request = {
      command: head.readUInt16BE(6),
      cookie: head.readBigUInt64BE(8),
      offset: Number(head.readBigUInt64BE(16)),
      length: head.readUInt32BE(24),
    };
    requests.push(request);
    waiting.push(request);
    if (request.command === 0 && waiting.length < (disk.reorder ?? 1)) {
      // Answered with the next ones, or alone when no more come.
      setTimeout(() => void flush(), 5);
      continue;
    }
    await flush();
  }

  async function flush(): Promise<void> {
    const batch = waiting.toReversed();
    waiting = [];
    for (const request of batch) {
      if (request.command === 2) return void socket.end();
      const honest = answerRequest(request, disk);
      const answer = disk.answer ? disk.answer(request, honest) : honest;
      if (answer === 'hangup') return void socket.destroy();
      for (const part of answer ?? []) await send(part);
    }
  }
}

function answerOption(option: number, data: Buffer, disk: FakeDisk): Buffer {
  const reply = (type: number, payload = Buffer.alloc(0)): Buffer =>
    Buffer.concat([u64(0x3e889045565a9n), u32(option), u32(type), u32(payload.length), payload]);
  const contexts = Object.keys(disk.contexts ?? {});
  if (option === 8) return reply(disk.simpleOnly ? 0x80000001 : 1);
  if (option === 10) {
    const granted = contexts.flatMap((name, id) =>
      data.includes(name) ? [reply(4, Buffer.concat([u32(id + 1), Buffer.from(name)]))] : [],
    );
    return Buffer.concat([...granted, reply(1)]);
  }
  if (option !== 7) return reply(0x80000001);
  const size = Buffer.concat([u16(0), u64(disk.content.length), u16(3)]);
  const blocks = Buffer.concat([u16(3), u32(1), u32(4096), u32(disk.maximumBlockBytes ?? 33554432)]);
  return Buffer.concat([reply(3, size), reply(3, blocks), reply(1)]);
}

function answerRequest(request: FakeRequest, disk: FakeDisk): readonly Buffer[] {
  const { offset, length, command } = request;
  if (command === 7) return statusChunks(request, disk);
  const data = disk.content.subarray(offset, offset + length);
  if (disk.simpleOnly) return [Buffer.concat([u32(0x67446698), u32(0), u64(request.cookie), data])];
  if (data.every((byte) => byte === 0)) return [holeChunk(request, offset, length, true)];
  const middle = Math.floor(length / 2);
  if (middle === 0) return [dataChunk(request, offset, data, true)];
  return [
    dataChunk(request, offset + middle, data.subarray(middle), false),
    dataChunk(request, offset, data.subarray(0, middle), false),
    chunk(request, 0, Buffer.alloc(0), true),
  ];
}

function statusChunks(request: FakeRequest, disk: FakeDisk): readonly Buffer[] {
  const entries = Object.entries(disk.contexts ?? {});
  return entries.map(([name, all], id) => {
    const wanted = clip(all, request.offset, request.length);
    const told = disk.cutStatus?.(wanted, name) ?? wanted;
    const body = told.flatMap(({ length, flags }) => [u32(length), u32(flags)]);
    return chunk(request, 5, Buffer.concat([u32(id + 1), ...body]), id === entries.length - 1);
  });
}

export function clip(extents: readonly Extent[], offset: number, length: number): Extent[] {
  return extents.flatMap((extent) => {
    const start = Math.max(extent.offset, offset);
    const end = Math.min(extent.offset + extent.length, offset + length);
    return end > start ? [{ offset: start, length: end - start, flags: extent.flags }] : [];
  });
}

const asleep = (): void => {};

function reader(socket: Socket): (bytes: number) => Promise<Buffer> {
  let buffered = Buffer.alloc(0);
  let wake = asleep;
  socket.on('data', (part) => {
    buffered = Buffer.concat([buffered, part]);
    wake();
  });
  socket.on('close', () => wake());
  return async (bytes) => {
    while (buffered.length < bytes) {
      if (socket.destroyed) throw new Error('the client is gone');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const taken = buffered.subarray(0, bytes);
    buffered = buffered.subarray(bytes);
    return taken;
  };
}

function sender(socket: Socket, fragmentBytes = Number.MAX_SAFE_INTEGER): (bytes: Buffer) => Promise<void> {
  return async (bytes) => {
    for (let at = 0; at < bytes.length; at += fragmentBytes) {
      const part = bytes.subarray(at, Math.min(at + fragmentBytes, bytes.length));
      await new Promise<void>((resolve, reject) =>
        socket.write(part, (error) => (error ? reject(error) : resolve())),
      );
    }
  };
}
