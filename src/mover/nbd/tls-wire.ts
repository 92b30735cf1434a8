import { connect, isIP } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { NbdProtocolError } from './errors.ts';
import { Filling } from './filling.ts';
import { greet, startTls } from './handshake.ts';
import type { NbdAddress } from './uri.ts';
import type { Send, Wants } from './wants.ts';
import { asError, type Wire, type WireEvents } from './wire.ts';

/**
 * A wire that is TLS from the third message on (proto.md, "TLS support"). Before that only the greeting and NBD_OPT_STARTTLS
 * go in the clear; the parser begins when the server's certificate has been proved to be from a trusted authority and for
 * `hostName`. Should any step fail, there is nothing to fall back to.
 *
 *     server  greeting            ─┐
 *     client  flags, STARTTLS      │ in the clear
 *     server  ACK, and not a byte ─┘ more: it would pass for one said under TLS
 *     TLS handshake: certificates both ways
 *     parser: export's name, options, requests …
 */
export function openTlsWire(
  to: NbdAddress['connect'],
  hostName: string,
  credentials: SecureContextOptions,
  parser: (send: Send) => Wants<never>,
  events: WireEvents,
): Wire {
  const raw = connect(to);
  let secure: TLSSocket | null = null;
  const guarded = (step: () => void): void => {
    try {
      step();
    } catch (error) {
      events.failed(asError(error));
    }
  };

  const prelude = new Filling(inTheClear((bytes) => raw.write(bytes)));
  const onClear = (bytes: Buffer): void => {
    events.heard();
    guarded(() => {
      const left = prelude.feed(bytes);
      if (!prelude.isDone) return;
      if (left.length > 0)
        throw new NbdProtocolError('it sent bytes in the clear after it had agreed to TLS');
      raw.off('data', onClear);
      secure = upgrade();
    });
  };
  raw.on('data', onClear);
  raw.on('error', events.broken);
  raw.on('close', events.closed);

  const upgrade = (): TLSSocket => {
    const socket = process.getBuiltinModule('node:tls').connect({
      ...credentials,
      socket: raw,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      // The name that is checked. It is also sent, unless it is an address: RFC 6066 allows none there.
      host: hostName,
      ...(isIP(hostName) === 0 ? { servername: hostName } : {}),
    });
    socket.on('error', events.broken);
    socket.on('end', () => raw.destroy());
    socket.once('secureConnect', () => {
      guarded(() => {
        const filling = new Filling(parser((bytes) => socket.write(bytes)));
        socket.on('data', (bytes: Buffer) => {
          events.heard();
          guarded(() => filling.feed(bytes));
        });
      });
    });
    return socket;
  };

  return {
    send: (bytes) => secure?.write(bytes),
    finish: () => (secure ?? raw).destroySoon(),
    cut: () => {
      secure?.destroy();
      raw.destroy();
    },
  };
}

function* inTheClear(send: Send): Wants<void> {
  yield* greet(send);
  yield* startTls(send);
}
