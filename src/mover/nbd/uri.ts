import { UsageError } from '../errors.ts';

/** Where an NBD export is found. */
export interface NbdAddress {
  readonly connect: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly exportName: string;
  /** The URI as given, for messages. */
  readonly uri: string;
}

/**
 * Reads `nbd+unix:///<export>?socket=<path>` or `nbd://<host>[:<port>]/<export>`
 * (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/uri.md).
 * @throws UsageError `SourceInvalid` for anything else
 */
export function parseNbdUri(uri: string): NbdAddress {
  const invalid = (why: string) =>
    new UsageError(
      'SourceInvalid',
      `"${uri}" is not an NBD source: ${why}; write nbd+unix:///<export>?socket=<path>`,
    );
  if (!URL.canParse(uri)) throw invalid('it is no URI');
  const url = new URL(uri);
  let exportName: string;
  try {
    exportName = decodeURIComponent(url.pathname.replace(/^\//, ''));
  } catch {
    throw invalid('the export name is not well encoded');
  }
  if (url.protocol === 'nbd+unix:') {
    const path = url.searchParams.get('socket');
    if (!path) throw invalid('it names no socket');
    // A longer path would be cut off by the kernel's sun_path.
    if (Buffer.byteLength(path) > 107) throw invalid('the path of a unix socket has at most 107 bytes');
    return { connect: { path }, exportName, uri };
  }
  if (url.protocol === 'nbd:') {
    if (!url.hostname) throw invalid('it names no host');
    const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
    return { connect: { host, port: url.port ? Number(url.port) : 10809 }, exportName, uri };
  }
  throw invalid(`the scheme "${url.protocol}" is not known`);
}
