import { abortReason, throwIfAborted } from '../errors.ts';
import { readCredentials } from './credentials.ts';
import { NbdSilent } from './errors.ts';
import { connectionError } from './failures.ts';
import { type Ask, type BlockStatus, readFitted, statusFitted } from './fitting.ts';
import { greet, type NbdExport, negotiate } from './handshake.ts';
import { Command } from './protocol.ts';
import { replies } from './replies.ts';
import { encodeRequest, type ReadRequest, type Request, type StatusRequest } from './requests.ts';
import { watchSilence } from './silence.ts';
import { openTlsWire } from './tls-wire.ts';
import type { NbdAddress } from './uri.ts';
import type { Send, Wants } from './wants.ts';
import { openWire, type Wire, type WireEvents } from './wire.ts';

/** An export that is open for reading. Any number of requests may be under way; each is answered on its own. */
export interface NbdConnection extends NbdExport {
  /**
   * Fills the whole buffer with the disk's bytes from `offset` on. The buffer is the server's until the promise settles.
   * @throws NbdServerError if this read failed; NbdGone, NbdSilent, NbdProtocolError if the connection did
   */
  read(offset: number, buffer: Buffer): Promise<void>;
  /**
   * What the granted meta contexts say from `offset` on: at least one extent each, without a gap, maybe not up to the end;
   * ask again from there. Any length will do.
   */
  blockStatus(offset: number, length: number): Promise<BlockStatus>;
  /** Takes leave. Never fails: the data is here already. */
  close(): Promise<void>;
}

export interface NbdOptions {
  readonly address: NbdAddress;
  /** Meta contexts to ask for, such as `base:allocation`. */
  readonly contexts: readonly string[];
  /** How long the opening may take, and how long the server may owe an answer and say nothing, in milliseconds. */
  readonly stallMilliseconds: number;
}

/** How long leave-taking may take, in milliseconds: a server that does not read would keep us for ever. */
const LEAVE_MILLISECONDS = 1000;

/**
 * Connects to an NBD export by one connection, by TLS where the address says so. Aborting the signal ends it, and every
 * request with it.
 * @throws NbdRefused, NbdGone, NbdSilent, NbdProtocolError, UsageError `SourceInvalid`, or the signal's reason
 */
export async function connectNbd(options: NbdOptions, signal: AbortSignal): Promise<NbdConnection> {
  throwIfAborted(signal);
  const { address, contexts, stallMilliseconds } = options;
  const credentials = address.tls ? readCredentials(address.tls.certificates) : null;
  const open = new Map<number, Request>();
  const ready = Promise.withResolvers<NbdExport>();
  const closed = Promise.withResolvers<void>();
  let agreed: NbdExport | null = null;
  let failure: Error | null = null;

  const fail = (error: Error): void => {
    failure ??= error;
    wire.cut();
    ready.reject(failure);
    for (const request of open.values()) request.reject(failure);
    open.clear();
  };
  const isOwed = (): boolean => agreed === null || open.size > 0;
  const watch = watchSilence(stallMilliseconds, isOwed, () =>
    fail(silence(address, stallMilliseconds, agreed !== null)),
  );
  const onAbort = (): void => fail(abortReason(signal));
  signal.addEventListener('abort', onAbort, { once: true });
  const events: WireEvents = {
    // Not before the export is open: who sends a byte now and then would never be done.
    heard: () => agreed && watch.heard(),
    failed: fail,
    broken: (cause) => fail(connectionError(cause, agreed !== null, address)),
    closed: () => {
      signal.removeEventListener('abort', onAbort);
      watch.end();
      fail(connectionError(null, agreed !== null, address));
      closed.resolve();
    },
  };

  function* conversation(send: Send): Wants<never> {
    agreed = yield* negotiate(address.exportName, contexts, send);
    watch.heard();
    ready.resolve(agreed);
    return yield* replies(open, agreed);
  }
  function* plainConversation(send: Send): Wants<never> {
    yield* greet(send);
    return yield* conversation(send);
  }
  const wire: Wire =
    address.tls && credentials
      ? openTlsWire(address.connect, address.tls.hostName, credentials, conversation, events)
      : openWire(address.connect, plainConversation, events);

  const found = await ready.promise;
  const ask = asking(found, open, wire.send, () => failure, watch.heard);
  return {
    ...found,
    read: (offset, buffer) => readFitted(found, ask, offset, buffer),
    blockStatus: (offset, length) => statusFitted(found, ask, { offset, length }),
    close: async () => {
      if (!failure) wire.send(encodeRequest(found.framing, Command.disconnect, 0, { offset: 0, length: 0 }));
      wire.finish();
      const cut = setTimeout(wire.cut, LEAVE_MILLISECONDS);
      await closed.promise;
      clearTimeout(cut);
    },
  };
}

/** Puts requests on the wire and among the open ones, each under a cookie of its own. */
function asking(
  { framing }: NbdExport,
  open: Map<number, Request>,
  send: Send,
  failure: () => Error | null,
  onDebt: () => void,
): Ask {
  let lastCookie = 0;
  const start = (command: number, request: Request): void => {
    const failed = failure();
    if (failed) return request.reject(failed);
    if (open.size === 0) onDebt();
    lastCookie = (lastCookie + 1) % 0x1_0000_0000;
    open.set(lastCookie, request);
    send(encodeRequest(framing, command, lastCookie, request));
  };
  return {
    read: (range, buffer) =>
      new Promise((resolve, reject) => {
        const asked = { ...range, kind: 'read', buffer, filled: [], error: null } as const;
        start(Command.read, { ...asked, filled: [], resolve, reject } satisfies ReadRequest);
      }),
    status: (range) =>
      new Promise((resolve, reject) => {
        const asked = { ...range, kind: 'status', extents: new Map(), error: null } as const;
        start(Command.blockStatus, { ...asked, resolve, reject } satisfies StatusRequest);
      }),
  };
}

function silence(address: NbdAddress, milliseconds: number, wasOpen: boolean): NbdSilent {
  return new NbdSilent(
    wasOpen
      ? `the NBD server ${address.uri} has said nothing for ${milliseconds} ms and owes an answer`
      : `the NBD server ${address.uri} has not opened the export within ${milliseconds} ms`,
  );
}
