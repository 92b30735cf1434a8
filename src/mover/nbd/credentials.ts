import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SecureContextOptions } from 'node:tls';
import { UsageError } from '../errors.ts';

/**
 * Reads `ca-cert.pem`, and `client-cert.pem` with `client-key.pem` if there is one of them: the names that libnbd, QEMU and
 * libvirt use. Without a directory, the authorities that Node trusts count, and no client certificate is shown.
 * @throws UsageError `SourceInvalid` if a file is missing, cannot be read, or does not hold what it should
 */
export function readCredentials(directory: string | null): SecureContextOptions {
  if (directory === null) return {};
  const ca = readPem(directory, 'ca-cert.pem');
  if (ca === null) throw unusable(directory, 'there is no ca-cert.pem');
  const cert = readPem(directory, 'client-cert.pem');
  const key = readPem(directory, 'client-key.pem');
  if ((cert === null) !== (key === null))
    throw unusable(directory, 'client-cert.pem and client-key.pem go together');
  try {
    // OpenSSL would pass over some of this in silence, and the server's refusal would be all there is to see.
    void new X509Certificate(ca);
    if (cert && key && !new X509Certificate(cert).checkPrivateKey(createPrivateKey(key)))
      throw new Error('client-key.pem is not the key of client-cert.pem');
  } catch (cause) {
    throw unusable(directory, cause instanceof Error ? cause.message : String(cause), cause);
  }
  return cert && key ? { ca, cert, key } : { ca };
}

function readPem(directory: string, name: string): Buffer | null {
  try {
    return readFileSync(join(directory, name));
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return null;
    throw unusable(directory, `${name} cannot be read`, cause);
  }
}

function unusable(directory: string, why: string, cause?: unknown): UsageError {
  return new UsageError(
    'SourceInvalid',
    `the TLS certificates in ${directory} are of no use: ${why}`,
    cause ? { cause } : {},
  );
}
