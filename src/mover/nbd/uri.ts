import { UsageError } from '../errors.ts';

/** Where an NBD export is found, and how it is to be reached. */
export interface NbdAddress {
  readonly connect: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly exportName: string;
  /** What TLS needs; null for a connection in the clear. */
  readonly tls: NbdTls | null;
  /** The URI as given, for messages. */
  readonly uri: string;
}

export interface NbdTls {
  /** The directory of `ca-cert.pem`, `client-cert.pem` and `client-key.pem`; null to trust the authorities Node trusts. */
  readonly certificates: string | null;
  /** The name that must stand in the server's certificate. */
  readonly hostName: string;
}

const DEFAULT_PORT = 10809;
/** proto.md, "Protocol phases": no string of the protocol is longer. */
const MAX_NAME_BYTES = 4096;
/** A longer path would be cut off by the kernel's `sun_path`. */
const MAX_SOCKET_BYTES = 107;

const FORMS = 'nbd+unix:///<export>?socket=<path> or nbds://<host>[:<port>]/<export>';
const PARAMETERS: ReadonlySet<string> = new Set([
  'socket',
  'tls-certificates',
  'tls-hostname',
  'tls-type',
  'tls-verify-peer',
]);

/**
 * Reads a URI by the NBD URI specification (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md):
 *
 *     nbd://host:10809/export                  nbd+unix:///export?socket=/path
 *     nbds://host/export?tls-certificates=DIR  nbds+unix:///export?socket=/path&tls-hostname=NAME
 *
 * `tls-certificates` is libnbd's. Not by `URL`: that takes `/../` out of an export's name and `+` in a path for a blank.
 * @throws UsageError `SourceInvalid` for anything else
 */
export function parseNbdUri(uri: string): NbdAddress {
  const invalid: Refuse = (why) =>
    new UsageError('SourceInvalid', `"${uri}" is not an NBD source: ${why}; write ${FORMS}`);
  const parts = /^([a-z][a-z0-9+.-]*):(?:\/\/([^/?#]*))?(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(uri);
  if (!parts) throw invalid(uri.includes('#') ? 'a # is written %23' : 'it is no URI');
  const [, scheme = '', authority = '', path = '', query = ''] = parts;
  const known = /^nbd(s)?(\+unix)?$/.exec(scheme.toLowerCase());
  if (!known) throw invalid(`the scheme "${scheme}" is not known`);
  const [, isSecure, isUnix] = known;

  const exportName = decoded(path, invalid);
  if (exportName.includes('\0')) throw invalid('an export name has no NUL in it');
  if (Buffer.byteLength(exportName) > MAX_NAME_BYTES)
    throw invalid(`an export name has at most ${MAX_NAME_BYTES} bytes`);
  const parameters = parametersOf(query, invalid);
  const connect = isUnix ? unixSocket(authority, parameters, invalid) : tcp(authority, parameters, invalid);
  const host = 'host' in connect ? connect.host : 'localhost';
  return { connect, exportName, tls: tlsOf(Boolean(isSecure), host, parameters, invalid), uri };
}

type Refuse = (why: string) => UsageError;
type Parameters = ReadonlyMap<string, string>;

function decoded(text: string, invalid: Refuse): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalid(`"${text}" is not well encoded: a % is written %25`);
  }
}

/** Key and value pairs. One that is not known may be a safety catch misspelt, so it is refused (uri.md asks for it). */
function parametersOf(query: string, invalid: Refuse): Parameters {
  const parameters = new Map<string, string>();
  for (const pair of query.split('&').filter((text) => text !== '')) {
    const at = pair.indexOf('=');
    const key = decoded(at < 0 ? pair : pair.slice(0, at), invalid);
    if (!PARAMETERS.has(key)) throw invalid(`the parameter "${key}" is not known`);
    if (parameters.has(key)) throw invalid(`the parameter "${key}" is there twice`);
    parameters.set(key, at < 0 ? '' : decoded(pair.slice(at + 1), invalid));
  }
  return parameters;
}

function unixSocket(authority: string, parameters: Parameters, invalid: Refuse): { path: string } {
  if (authority !== '')
    throw invalid(`"${authority}" stands where a host would: a unix socket wants three slashes`);
  const path = parameters.get('socket');
  if (!path) throw invalid('it names no socket');
  // At the start it means a name in Linux's abstract namespace.
  if (path.lastIndexOf('\0') > 0) throw invalid('a path has no NUL in it');
  if (Buffer.byteLength(path) > MAX_SOCKET_BYTES)
    throw invalid(`the path of a unix socket has at most ${MAX_SOCKET_BYTES} bytes`);
  return { path };
}

/** Host and port; a literal IPv6 address stands in brackets (RFC 3986, 3.2.2). */
function tcp(authority: string, parameters: Parameters, invalid: Refuse): { host: string; port: number } {
  if (parameters.has('socket')) throw invalid('a socket goes with nbd+unix or nbds+unix');
  if (authority.includes('@')) throw invalid('a user name (TLS with pre-shared keys) is not supported');
  const [, literal, name, digits] =
    /^(?:\[([0-9a-f:.]+(?:%25[\w.-]+)?)\]|([\p{L}\p{N}._~-]+))(?::(\d*))?$/iu.exec(authority) ?? [];
  const host = literal ?? name;
  if (host === undefined) throw invalid('it names no host');
  const port = digits ? Number(digits) : DEFAULT_PORT;
  if (port < 1 || port > 65_535) throw invalid(`${port} is no port`);
  return { host: decoded(host, invalid), port };
}

function tlsOf(isSecure: boolean, host: string, parameters: Parameters, invalid: Refuse): NbdTls | null {
  const stray = [...parameters.keys()].find((key) => key.startsWith('tls-'));
  if (!isSecure && stray !== undefined) throw invalid(`"${stray}" needs nbds or nbds+unix to mean anything`);
  if (!isSecure) return null;
  const type = parameters.get('tls-type') ?? 'x509';
  if (type !== 'x509') throw invalid(`TLS of type "${type}" is not supported, certificates (x509) are`);
  if ((parameters.get('tls-verify-peer') ?? '1') !== '1')
    throw invalid('the server is always verified: TLS with a stranger keeps no secret');
  const certificates = parameters.get('tls-certificates') ?? null;
  if (certificates === '') throw invalid('tls-certificates names no directory');
  return { certificates, hostName: parameters.get('tls-hostname') || host };
}
