import { connect, type OnReadOpts, type Socket } from 'node:net';
import type { Extent } from '../../domain/extents.ts';
import { abortReason, throwIfAborted } from '../errors.ts';
import { NbdGone, NbdRefused, NbdSilent } from './errors.ts';
import { handshake, type NbdExport } from './handshake.ts';
import { Command } from './protocol.ts';
import { replies } from './replies.ts';
import { encodeRequest, type ReadRequest, type Request, type StatusRequest } from './requests.ts';
import { type NbdAddress } from './uri.ts';
import type { Wants } from './wants.ts';

/** An export that is open for reading. Any number of requests may be under way; each is answered on its own. */
export interface NbdConnection extends NbdExport {
  /**
   * Fills the whole buffer with the disk's bytes from `offset` on. The buffer is the server's until the promise settles.
   * @throws NbdServerError if this read failed; NbdGone, NbdSilent, NbdProtocolError if the connection did
   */
  read(offset: number, buffer: Buffer): Promise<void>;
  /** What the granted meta contexts say from `offset` on: at least one extent each, maybe not up to the end. */
  blockStatus(offset: number, length: number): Promise<ReadonlyMap<string, readonly Extent[]>>;
  /** Takes leave. Never fails: the data is here already. */
  close(): Promise<void>;
}

export interface NbdOptions {
  readonly address: NbdAddress;
  /** Meta contexts to ask for, such as `base:allocation`. */
  readonly contexts: readonly string[];
  /** How long the server may owe an answer and say nothing, in milliseconds. */
  readonly stallMilliseconds: number;
}

/**
 * Connects to an NBD export by one connection. Aborting the signal ends it, and every request with it.
 * @throws NbdRefused, NbdGone, NbdSilent, NbdProtocolError, or the signal's reason
 */
export async function connectNbd(options: NbdOptions, signal: AbortSignal): Promise<NbdConnection> {
  throwIfAborted(signal);
  const { address, contexts, stallMilliseconds } = options;
  const open = new Map<number, Request>();
  let lastCookie = 0;
  let failure: Error | null = null;
  let bytesReceived = 0;
  let agreed: NbdExport | null = null;
  const ready = Promise.withResolvers<NbdExport>();
  const closed = Promise.withResolvers<void>();

  const fail = (error: Error): void => {
    failure ??= error;
    socket.destroy();
    ready.reject(failure);
    for (const request of open.values()) request.reject(failure);
    open.clear();
  };

  function* conversation(): Wants<never> {
    agreed = yield* handshake(address.exportName, contexts, (bytes) => socket.write(bytes));
    ready.resolve(agreed);
    return yield* replies(open, agreed);
  }

  const socket: Socket = connect({
    ...address.connect,
    onread: fillFrom(conversation(), fail, (bytes) => {
      bytesReceived += bytes;
    }),
  });
  const onAbort = (): void => fail(abortReason(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  socket.on('error', (cause) => fail(connectionError(cause, agreed !== null, address)));
  socket.on('close', () => {
    signal.removeEventListener('abort', onAbort);
    fail(connectionError(null, agreed !== null, address));
    closed.resolve();
  });
  socket.setTimeout(stallMilliseconds, () => {
    const before = bytesReceived;
    // A long synchronous write may have kept us from reading: look again when the socket had its turn.
    setImmediate(() => {
      if (bytesReceived === before && (open.size > 0 || agreed === null)) {
        fail(
          new NbdSilent(
            `the NBD server ${address.uri} has said nothing for ${stallMilliseconds} ms and owes an answer`,
          ),
        );
      }
    });
  });

  const start = (command: number, request: Request): void => {
    if (failure) return request.reject(failure);
    lastCookie = (lastCookie + 1) % 0x1_0000_0000;
    open.set(lastCookie, request);
    socket.write(encodeRequest(command, lastCookie, request.offset, request.length));
  };

  return {
    ...(await ready.promise),
    read: (offset, buffer) =>
      new Promise((resolve, reject) => {
        const asked = {
          kind: 'read',
          offset,
          length: buffer.length,
          buffer,
          filled: [],
          error: null,
        } as const;
        start(Command.read, { ...asked, filled: [], resolve, reject } satisfies ReadRequest);
      }),
    blockStatus: (offset, length) =>
      new Promise((resolve, reject) => {
        const asked = { kind: 'status', offset, length, extents: new Map(), error: null } as const;
        start(Command.blockStatus, { ...asked, resolve, reject } satisfies StatusRequest);
      }),
    close: () => {
      if (!failure) socket.write(encodeRequest(Command.disconnect, 0, 0, 0));
      // Ends when the request is sent, whatever the server does about it.
      socket.destroySoon();
      return closed.promise;
    },
  };
}

/** Lets a parser's own buffers be the ones the socket reads into: no copy between kernel and request. */
function fillFrom(
  parser: Wants<never>,
  fail: (error: Error) => void,
  onBytes: (bytes: number) => void,
): OnReadOpts {
  let target = parser.next().value;
  let filled = 0;
  return {
    buffer: () => (filled === 0 ? target : target.subarray(filled)),
    callback: (bytes) => {
      onBytes(bytes);
      filled += bytes;
      if (filled < target.length) return true;
      try {
        target = parser.next().value;
        filled = 0;
        return true;
      } catch (error) {
        fail(error instanceof Error ? error : new Error(String(error)));
        return false;
      }
    },
  };
}

function connectionError(cause: NodeJS.ErrnoException | null, wasOpen: boolean, address: NbdAddress): Error {
  const options = cause ? { cause } : {};
  const code = cause?.code ? ` (${cause.code})` : '';
  if (wasOpen)
    return new NbdGone(
      `the NBD server ${address.uri} went away${code}: the backup job or the VM ended`,
      options,
    );
  return new NbdRefused(
    `cannot open the NBD export ${address.uri}${code}: is the backup job running, and may this user connect?`,
    options,
  );
}
