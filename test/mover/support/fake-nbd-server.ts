import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Extent } from '../../../src/domain/extents.ts';
import type { Framing } from '../../../src/mover/nbd/handshake.ts';
import { type NbdAddress, parseNbdUri } from '../../../src/mover/nbd/uri.ts';
import {
  chunk,
  dataChunk,
  type FakeRequest,
  holeChunk,
  optionReply,
  simpleReply,
  statusChunk,
  u16,
  u32,
  u64,
} from './fake-nbd-messages.ts';

/** What the server is, and how it misbehaves. Without any of the latter it is honest and plain. */
export interface FakeDisk {
  readonly content: Buffer;
  /** Context name → extents that cover the disk. */
  readonly contexts?: Readonly<Record<string, readonly Extent[]>>;
  /** The best it can; `structured` unless told. */
  readonly framing?: Framing;
  /** Speaks only simple replies, like a server of old. */
  readonly simpleOnly?: boolean;
  /** Answers in pieces of so many bytes. */
  readonly fragmentBytes?: number;
  /** Waits so long before each piece. */
  readonly fragmentMilliseconds?: number;
  /** Waits until this many requests are there, and answers the last one first. */
  readonly reorder?: number;
  readonly minimumBlockBytes?: number;
  readonly maximumBlockBytes?: number;
  /** NBD_FLAG_*; as a plain read-only export has them unless told. */
  readonly transmissionFlags?: number;
  /** How much of a block status to tell, as extents from the request's offset on. */
  readonly cutStatus?: (extents: readonly Extent[], context: string) => readonly Extent[];
  /** Another answer than the honest one; `null` says nothing at all, `'hangup'` ends the connection. */
  readonly answer?: (request: FakeRequest, honest: readonly Buffer[]) => Answer | Promise<Answer>;
  /** Another greeting than the honest one; `null` for silence. */
  readonly greeting?: Buffer | null;
  /** Another answer to an option; `undefined` for the honest one. */
  readonly option?: (option: number, honest: Buffer) => Buffer | 'hangup' | undefined;
  /** Sends so many bytes in all, and then does this for ever. */
  readonly stop?: { readonly afterBytes: number; readonly by: 'silence' | 'hangup' };
}

type Answer = readonly Buffer[] | null | 'hangup';

export interface FakeServer extends AsyncDisposable {
  readonly address: NbdAddress;
  readonly requests: readonly FakeRequest[];
  /** All that clients have sent, as it came over the wire. */
  readonly heard: () => Buffer;
  /** How many bytes were sent to clients. */
  readonly bytesSent: () => number;
}

/** Serves one disk on a unix socket of its own, to any number of clients, until disposed of. */
export async function serveFake(disk: FakeDisk, scheme = 'nbd+unix'): Promise<FakeServer> {
  const directory = mkdtempSync(join(tmpdir(), 'tidemark-nbd-'));
  const path = join(directory, 's');
  const sockets = new Set<Socket>();
  const requests: FakeRequest[] = [];
  const heard: Buffer[] = [];
  let sent = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.on('data', (bytes) => heard.push(bytes));
    const send = sender(socket, disk, (bytes) => {
      sent += bytes;
    });
    converse(socket, send, disk, requests).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    address: parseNbdUri(`${scheme}:///disk?socket=${path}`),
    requests,
    heard: () => Buffer.concat(heard),
    bytesSent: () => sent,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

type Sender = (bytes: Buffer) => Promise<void>;

async function converse(
  socket: Socket,
  send: Sender,
  disk: FakeDisk,
  requests: FakeRequest[],
): Promise<void> {
  const take = reader(socket);
  if (disk.greeting === null) return;
  await send(disk.greeting ?? Buffer.concat([Buffer.from('NBDMAGICIHAVEOPT'), u16(3)]));
  await take(4);
  for (let isOpen = false; !isOpen; ) {
    const head = await take(16);
    const option = head.readUInt32BE(8);
    const honest: Buffer = answerOption(option, await take(head.readUInt32BE(12)), disk);
    const answer = disk.option?.(option, honest) ?? honest;
    if (answer === 'hangup') return void socket.destroy();
    await send(answer);
    isOpen = option === 7;
  }
  const framing = framingOf(disk);
  let waiting: FakeRequest[] = [];
  for (;;) {
    const head = await take(framing === 'extended' ? 32 : 28);
    const request = {
      framing,
      flags: head.readUInt16BE(4),
      command: head.readUInt16BE(6),
      cookie: head.readBigUInt64BE(8),
      offset: Number(head.readBigUInt64BE(16)),
      length: framing === 'extended' ? Number(head.readBigUInt64BE(24)) : head.readUInt32BE(24),
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
      const answer = disk.answer ? await disk.answer(request, honest) : honest;
      if (answer === 'hangup') return void socket.destroy();
      for (const part of answer ?? []) await send(part);
    }
  }
}

const framingOf = (disk: FakeDisk): Framing => disk.framing ?? (disk.simpleOnly ? 'simple' : 'structured');

function answerOption(option: number, data: Buffer, disk: FakeDisk): Buffer {
  const { contexts = {} } = disk;
  const framing = framingOf(disk);
  if (option === 11) return optionReply(11, framing === 'extended' ? 1 : 0x80000001);
  if (option === 8) return optionReply(8, framing === 'simple' ? 0x80000001 : 1);
  if (option === 10) {
    const granted = Object.keys(contexts).flatMap((name, id) =>
      data.includes(name) ? [optionReply(10, 4, Buffer.concat([u32(id + 1), Buffer.from(name)]))] : [],
    );
    return Buffer.concat([...granted, optionReply(10, 1)]);
  }
  if (option !== 7) return optionReply(option, 0x80000001);
  const size = Buffer.concat([u16(0), u64(disk.content.length), u16(disk.transmissionFlags ?? 3)]);
  const sizes = [disk.minimumBlockBytes ?? 1, 4096, disk.maximumBlockBytes ?? 33554432];
  const blocks = Buffer.concat([u16(3), ...sizes.map(u32)]);
  return Buffer.concat([optionReply(7, 3, size), optionReply(7, 3, blocks), optionReply(7, 1)]);
}

function answerRequest(request: FakeRequest, disk: FakeDisk): readonly Buffer[] {
  const { offset, length, command, framing } = request;
  if (command === 7) return statusChunks(request, disk);
  const data = disk.content.subarray(offset, offset + length);
  if (framing === 'simple') return [simpleReply(request, 0, data)];
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
    const extents = told.map(({ length, flags }) => [length, flags] as const);
    return statusChunk(request, id + 1, extents, id === entries.length - 1);
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

function sender(socket: Socket, disk: FakeDisk, onSent: (bytes: number) => void): Sender {
  const fragmentBytes = disk.fragmentBytes ?? Number.MAX_SAFE_INTEGER;
  let left = disk.stop?.afterBytes ?? Number.MAX_SAFE_INTEGER;
  const write = async (part: Buffer): Promise<void> =>
    await new Promise<void>((resolve, reject) =>
      socket.write(part, (error) => (error ? reject(error) : resolve())),
    );
  return async (bytes) => {
    for (let at = 0; at < bytes.length; at += fragmentBytes) {
      const part = bytes.subarray(at, Math.min(at + fragmentBytes, bytes.length, at + left));
      if (disk.fragmentMilliseconds) await sleep(disk.fragmentMilliseconds);
      if (part.length > 0) await write(part);
      onSent(part.length);
      left -= part.length;
      if (left > 0) continue;
      if (disk.stop?.by === 'hangup') socket.end();
      // Whoever waits for this waits for ever: nothing more is said.
      await new Promise(() => {});
    }
  };
}
