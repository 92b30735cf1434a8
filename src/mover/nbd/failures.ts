import { NbdGone, NbdRefused } from './errors.ts';
import type { NbdAddress, NbdTls } from './uri.ts';

/** The server was not even spoken to. */
const UNREACHABLE: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOENT',
  'EACCES',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
]);
const CHECK_SERVER = 'is the backup job running, and may this user connect?';

/** What a socket's error, or its end without one, means to the reader; by whether the export was open by then. */
export function connectionError(
  cause: NodeJS.ErrnoException | null,
  wasOpen: boolean,
  address: NbdAddress,
): Error {
  const options = cause ? { cause } : {};
  const code = cause?.code ? ` (${cause.code})` : '';
  if (wasOpen)
    return new NbdGone(
      `the NBD server ${address.uri} went away${code}: the backup job or the VM ended`,
      options,
    );
  const advice =
    address.tls && !UNREACHABLE.has(cause?.code ?? '') ? tlsAdvice(cause, address.tls) : CHECK_SERVER;
  return new NbdRefused(`cannot open the NBD export ${address.uri}${code}: ${advice}`, options);
}

/** In words, what Node's and OpenSSL's codes ask for (Node, "TLS", "X509 certificate error codes"). */
function tlsAdvice(cause: NodeJS.ErrnoException | null, { hostName }: NbdTls): string {
  const code = cause?.code ?? '';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID')
    return `the server's certificate is not for "${hostName}"; if it is the right server, give tls-hostname=<name in the certificate>`;
  if (/^CERT_HAS_EXPIRED|^CERT_NOT_YET_VALID/.test(code))
    return "the server's certificate is not valid today; renew it, or set the clock";
  if (/SELF_SIGNED|^UNABLE_TO_|CERT_UNTRUSTED|INVALID_CA|CERT_SIGNATURE_FAILURE|CERT_REVOKED/.test(code))
    return "the server's certificate is not signed by an authority we trust; is ca-cert.pem in tls-certificates=<directory> the server's?";
  if (code.startsWith('ERR_SSL') && !code.includes('ALERT'))
    return 'TLS could not be agreed; does the server speak TLS 1.2 or later?';
  const what = code.includes('ALERT')
    ? 'did not accept our certificate'
    : 'hung up, maybe on our certificate';
  return `the server ${what}; does tls-certificates=<directory> hold client-cert.pem and client-key.pem from its authority?`;
}
