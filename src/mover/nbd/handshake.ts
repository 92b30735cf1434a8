import { NbdProtocolError, NbdRefused } from './errors.ts';
import {
  HandshakeFlag,
  Info,
  NBD_MAGIC,
  OLDSTYLE_MAGIC,
  OPTION_MAGIC,
  OPTION_REPLY_MAGIC,
  OPTION_UNSUPPORTED,
  Option,
  OptionReply,
  optionErrors,
} from './protocol.ts';
import { printable, readLength64, take, takeFew, type Wants } from './wants.ts';

/** What was agreed with the server about one export. */
export interface NbdExport {
  readonly sizeBytes: number;
  readonly structuredReplies: boolean;
  /** Meta context name → the id the server gave it. Only those asked for and granted. */
  readonly contexts: ReadonlyMap<string, number>;
  /** Largest request the server takes. 32 MiB where it does not say (proto.md, "Block size constraints"). */
  readonly maximumBlockBytes: number;
}

type Send = (bytes: Buffer) => void;

/** No option reply of use is longer; a longer one is a lie or an attack. */
const MAX_OPTION_REPLY = 64 * 1024;
/** A server that never stops answering one option is not serving us. */
const MAX_OPTION_REPLIES = 1024;

/**
 * The fixed newstyle negotiation (proto.md, "Newstyle negotiation"): structured replies, then meta contexts, then GO.
 *
 *     server  NBDMAGIC IHAVEOPT flags16
 *     client  flags32
 *     client  IHAVEOPT option32 length32 data …      for each option
 *     server  magic64 option32 type32 length32 data  until ACK or an error
 */
export function* handshake(
  exportName: string,
  contextNames: readonly string[],
  send: Send,
): Wants<NbdExport> {
  const greeting = yield* takeFew(18);
  if (greeting.readBigUInt64BE(0) !== NBD_MAGIC)
    throw new NbdProtocolError('it does not greet as an NBD server does');
  const magic = greeting.readBigUInt64BE(8);
  if (magic === OLDSTYLE_MAGIC)
    throw new NbdRefused('the NBD server only speaks the old style of negotiation');
  const offered = greeting.readUInt16BE(16);
  if (magic !== OPTION_MAGIC || !(offered & HandshakeFlag.fixedNewstyle)) {
    throw new NbdRefused('the NBD server does not offer the fixed newstyle negotiation');
  }
  const flags = Buffer.alloc(4);
  flags.writeUInt32BE(offered & (HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes));
  send(flags);

  sendOption(send, Option.structuredReply, Buffer.alloc(0));
  const structured = yield* optionReplies(Option.structuredReply, exportName, () => {});
  const structuredReplies = structured === OptionReply.ack;
  const contexts = new Map<string, number>();
  if (structuredReplies && contextNames.length > 0) {
    sendOption(send, Option.setMetaContext, metaContextQuery(exportName, contextNames));
    // A server without the contexts answers with an error or with none of them: the caller sees which are there.
    yield* optionReplies(Option.setMetaContext, exportName, (type, data) => {
      if (type !== OptionReply.metaContext || data.length < 4) return;
      const name = data.toString('utf8', 4);
      if (contextNames.includes(name)) contexts.set(name, data.readUInt32BE(0));
    });
  }
  const { sizeBytes, maximumBlockBytes } = yield* go(exportName, send);
  return { sizeBytes, maximumBlockBytes, structuredReplies, contexts };
}

function* go(exportName: string, send: Send): Wants<Pick<NbdExport, 'sizeBytes' | 'maximumBlockBytes'>> {
  sendOption(send, Option.go, goRequest(exportName));
  let sizeBytes: number | null = null;
  let maximumBlockBytes = 32 * 1024 * 1024;
  const end = yield* optionReplies(Option.go, exportName, (type, data) => {
    if (type !== OptionReply.info || data.length < 2) return;
    const info = data.readUInt16BE(0);
    if (info === Info.export && data.length === 12) sizeBytes = readLength64(data, 2, 'an export');
    // 0xffffffff stands for "no limit", which is ours then.
    if (info === Info.blockSize && data.length === 14)
      maximumBlockBytes = Math.min(data.readUInt32BE(10), maximumBlockBytes);
  });
  if (end === OPTION_UNSUPPORTED)
    throw new NbdRefused('the NBD server does not know NBD_OPT_GO: it is too old');
  if (sizeBytes === null) throw new NbdProtocolError('it opened the export without telling its size');
  return { sizeBytes, maximumBlockBytes };
}

/** Hands each reply to `each` until ACK or "unsupported", and says which it was. Any other error is a refusal. */
function* optionReplies(
  option: number,
  exportName: string,
  each: (type: number, data: Buffer) => void,
): Wants<number> {
  for (let count = 0; count < MAX_OPTION_REPLIES; count++) {
    const head = yield* takeFew(20);
    if (head.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC)
      throw new NbdProtocolError('an option reply without its magic number');
    if (head.readUInt32BE(8) !== option)
      throw new NbdProtocolError('a reply to an option that was not asked');
    const type = head.readUInt32BE(12);
    const data = yield* take(head.readUInt32BE(16), MAX_OPTION_REPLY, 'an option reply');
    if (type === OptionReply.ack || type === OPTION_UNSUPPORTED) return type;
    // Bit 31 makes the number negative for `&`, hence the comparison.
    if (type >= OptionReply.errorBit) throw refusal(type, exportName, data);
    each(type, data);
  }
  throw new NbdProtocolError('it never ends its answer to an option');
}

function refusal(type: number, exportName: string, data: Buffer): NbdRefused {
  const why = optionErrors.get(type) ?? `error 0x${type.toString(16)}`;
  const text = printable(data);
  return new NbdRefused(
    `the NBD server refused the export "${exportName}": ${why}${text ? ` (${text})` : ''}`,
  );
}

function sendOption(send: Send, option: number, data: Buffer): void {
  const head = Buffer.alloc(16);
  head.writeBigUInt64BE(OPTION_MAGIC, 0);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(data.length, 12);
  send(Buffer.concat([head, data]));
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function metaContextQuery(exportName: string, names: readonly string[]): Buffer {
  return Buffer.concat([counted(exportName), uint32(names.length), ...names.map(counted)]);
}

/** NBD_OPT_GO with one information request: the block sizes. */
function goRequest(exportName: string): Buffer {
  const requests = Buffer.alloc(4);
  requests.writeUInt16BE(1, 0);
  requests.writeUInt16BE(Info.blockSize, 2);
  return Buffer.concat([counted(exportName), requests]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
