import { NbdProtocolError, NbdRefused } from './errors.ts';
import { OPTION_MAGIC, OPTION_REPLY_MAGIC, OptionError, OptionReply, optionErrors } from './protocol.ts';
import { printable, type Send, take, takeFew, type Wants } from './wants.ts';

/** No option reply of use is longer; a longer one is a lie or an attack. */
const MAX_OPTION_REPLY = 64 * 1024;
/** A server that never stops answering one option is not serving us. */
const MAX_OPTION_REPLIES = 1024;

/** Answers that say "I cannot, go on without": nothing to give up for. */
const SOFT_ERRORS: ReadonlySet<number> = new Set([
  OptionError.unsupported,
  OptionError.policy,
  OptionError.invalid,
  OptionError.platform,
  OptionError.tooBig,
]);

/**
 * Asks for something that can be done without. @returns whether it was granted
 * @throws NbdRefused if the server answers that nothing goes on: TLS demanded, no such export, shutting down
 */
export function* ask(
  send: Send,
  option: number,
  data: Buffer,
  each: (type: number, data: Buffer) => void = () => {},
): Wants<boolean> {
  const { type, data: why } = yield* request(send, option, data, each);
  if (type !== OptionReply.ack && !SOFT_ERRORS.has(type)) throw new NbdRefused(refusal(type, why));
  return type === OptionReply.ack;
}

/**
 * Asks for something that must be. `what` says what for, in an error.
 * @throws NbdRefused if the server does not grant it
 */
export function* demand(
  send: Send,
  option: number,
  data: Buffer,
  what: string,
  each: (type: number, data: Buffer) => void = () => {},
): Wants<void> {
  const { type, data: why } = yield* request(send, option, data, each);
  if (type !== OptionReply.ack) throw new NbdRefused(`${what}: ${refusal(type, why)}`);
}

/** Hands each reply to `each` until one that ends the answer, which it gives: ACK, or an error. */
function* request(
  send: Send,
  option: number,
  data: Buffer,
  each: (type: number, data: Buffer) => void,
): Wants<{ readonly type: number; readonly data: Buffer }> {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(OPTION_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(data.length, 12);
  send(Buffer.concat([head, data]));
  for (let count = 0; count < MAX_OPTION_REPLIES; count++) {
    const reply = yield* takeFew(20);
    if (reply.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC)
      throw new NbdProtocolError('an option reply without its magic number');
    if (reply.readUInt32BE(8) !== option)
      throw new NbdProtocolError('a reply to an option that was not asked');
    const type = reply.readUInt32BE(12);
    const body = yield* take(reply.readUInt32BE(16), MAX_OPTION_REPLY, 'an option reply');
    // The error bit makes the number negative for `&`, hence the comparison.
    if (type === OptionReply.ack || type >= OptionReply.errorBit) return { type, data: body };
    each(type, body);
  }
  throw new NbdProtocolError('it never ends its answer to an option');
}

function refusal(type: number, data: Buffer): string {
  const why = optionErrors.get(type) ?? `error 0x${type.toString(16)}`;
  const text = printable(data);
  const advice =
    type === OptionError.tlsRequired
      ? '; use nbds:// or nbds+unix:// with tls-certificates=<directory of ca-cert.pem, client-cert.pem, client-key.pem>'
      : '';
  return `the NBD server refused: ${why}${text ? ` (${text})` : ''}${advice}`;
}
