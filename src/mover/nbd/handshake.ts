import { type BlockSizes, DEFAULT_BLOCK_SIZES, parseBlockSizes } from './block-sizes.ts';
import { NbdProtocolError, NbdRefused } from './errors.ts';
import { ask, demand } from './options.ts';
import {
  HandshakeFlag,
  Info,
  NBD_MAGIC,
  OLDSTYLE_MAGIC,
  OPTION_MAGIC,
  Option,
  OptionReply,
} from './protocol.ts';
import { readLength64, type Send, takeFew, type Wants } from './wants.ts';

/** How requests and replies are framed on this connection; each can all that the ones before it can. */
export type Framing = 'simple' | 'structured' | 'extended';

/** What was agreed with the server about one export. */
export interface NbdExport extends BlockSizes {
  readonly sizeBytes: number;
  readonly framing: Framing;
  /** Meta context name → the id the server gave it. Only those asked for and granted. */
  readonly contexts: ReadonlyMap<string, number>;
}

/**
 * The greeting of the fixed newstyle negotiation (proto.md, "Newstyle negotiation"):
 *
 *     server  NBDMAGIC IHAVEOPT flags16
 *     client  flags32
 */
export function* greet(send: Send): Wants<void> {
  const greeting = yield* takeFew(18);
  if (greeting.readBigUInt64BE(0) !== NBD_MAGIC)
    throw new NbdProtocolError('it does not greet as an NBD server does');
  const magic = greeting.readBigUInt64BE(8);
  if (magic === OLDSTYLE_MAGIC)
    throw new NbdRefused('the NBD server only speaks the old style of negotiation');
  const offered = greeting.readUInt16BE(16);
  if (magic !== OPTION_MAGIC || !(offered & HandshakeFlag.fixedNewstyle))
    throw new NbdRefused('the NBD server does not offer the fixed newstyle negotiation');
  const flags = Buffer.alloc(4);
  flags.writeUInt32BE(offered & (HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes));
  send(flags);
}

/** Asks for TLS. Nothing that matters has been said yet, nor is, unless the server agrees. */
export function* startTls(send: Send): Wants<void> {
  const what = 'TLS was asked for by nbds, and nothing is sent without it';
  yield* demand(send, Option.startTls, Buffer.alloc(0), what);
}

/**
 * The options: the best framing the server has, then meta contexts, then GO.
 *
 *     client  IHAVEOPT option32 length32 data …      for each option
 *     server  magic64 option32 type32 length32 data  until ACK or an error
 */
export function* negotiate(
  exportName: string,
  contextNames: readonly string[],
  send: Send,
): Wants<NbdExport> {
  const framing = yield* agreeFraming(send);
  const contexts = new Map<string, number>();
  if (framing !== 'simple' && contextNames.length > 0) {
    const query = metaContextQuery(exportName, contextNames);
    // A server without the contexts answers with an error or with none of them: the caller sees which are there.
    const isGranted = yield* ask(send, Option.setMetaContext, query, (type, data) => {
      if (type !== OptionReply.metaContext || data.length < 4) return;
      const name = data.toString('utf8', 4);
      if (contextNames.includes(name)) contexts.set(name, data.readUInt32BE(0));
    });
    if (!isGranted) contexts.clear();
  }
  return { ...(yield* go(exportName, send)), framing, contexts };
}

function* agreeFraming(send: Send): Wants<Framing> {
  // With extended headers come structured replies; to ask for both is an error.
  if (yield* ask(send, Option.extendedHeaders, Buffer.alloc(0))) return 'extended';
  return (yield* ask(send, Option.structuredReply, Buffer.alloc(0))) ? 'structured' : 'simple';
}

function* go(exportName: string, send: Send): Wants<BlockSizes & Pick<NbdExport, 'sizeBytes'>> {
  let sizeBytes: number | null = null;
  let blockSizes = DEFAULT_BLOCK_SIZES;
  const what = `cannot open the export "${exportName}"`;
  yield* demand(send, Option.go, goRequest(exportName), what, (type, data) => {
    if (type !== OptionReply.info || data.length < 2) return;
    const info = data.readUInt16BE(0);
    if (info === Info.export && data.length === 12) sizeBytes = readLength64(data, 2, 'an export');
    if (info === Info.blockSize) blockSizes = parseBlockSizes(data);
  });
  if (sizeBytes === null) throw new NbdProtocolError('it opened the export without telling its size');
  return { sizeBytes, ...blockSizes };
}

function metaContextQuery(exportName: string, names: readonly string[]): Buffer {
  return Buffer.concat([counted(exportName), uint32(names.length), ...names.map(counted)]);
}

/** NBD_OPT_GO with one information request: the block sizes, which are then kept to. */
function goRequest(exportName: string): Buffer {
  const requests = Buffer.alloc(4);
  requests.writeUInt16BE(1, 0);
  requests.writeUInt16BE(Info.blockSize, 2);
  return Buffer.concat([counted(exportName), requests]);
}

function counted(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([uint32(bytes.length), bytes]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
