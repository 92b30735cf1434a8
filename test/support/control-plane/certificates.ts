import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from './run.ts';

const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '30'];

/** A certificate and its private key, both PEM files. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

/** Whom a certificate names: Kubernetes reads the common name as the user and the organizations as its groups. */
export interface Subject {
  readonly user: string;
  readonly groups?: readonly string[];
}

/** What one cluster's processes trust and prove themselves with; made anew for each cluster, under its directory. */
export interface Pki {
  readonly ca: KeyPair;
  readonly server: KeyPair;
  /** Signs the requests that the API server passes on to extension API servers. */
  readonly frontProxyCa: KeyPair;
  readonly frontProxyClient: KeyPair;
  /** Signs service-account tokens: an RSA private key and its public half. */
  readonly serviceAccount: { readonly privateKey: string; readonly publicKey: string };
}

/** Makes every certificate and key that a cluster's own processes need, in `directory`. */
export async function createPki(directory: string): Promise<Pki> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const serviceAccount = { privateKey: join(directory, 'sa.key'), publicKey: join(directory, 'sa.pub') };
  const [ca, frontProxyCa] = await Promise.all([
    authority(directory, 'ca'),
    authority(directory, 'front-proxy-ca'),
    run('openssl', ['genrsa', '-out', serviceAccount.privateKey, '2048']).then(() =>
      run('openssl', ['rsa', '-in', serviceAccount.privateKey, '-pubout', '-out', serviceAccount.publicKey]),
    ),
  ]);
  const [server, frontProxyClient] = await Promise.all([
    issue(directory, 'server', ca, { user: 'kube-apiserver' }, [
      'extendedKeyUsage=serverAuth',
      'subjectAltName=IP:127.0.0.1,IP:10.96.0.1,DNS:localhost,DNS:kubernetes.default.svc',
    ]),
    issueClient(directory, 'front-proxy-client', frontProxyCa, { user: 'front-proxy-client' }),
  ]);
  return { ca, server, frontProxyCa, frontProxyClient, serviceAccount };
}

/** Issues a client certificate to `subject`, as `<directory>/<name>.crt` and `.key`. */
export async function issueClient(
  directory: string,
  name: string,
  ca: KeyPair,
  subject: Subject,
): Promise<KeyPair> {
  return await issue(directory, name, ca, subject, ['extendedKeyUsage=clientAuth']);
}

/** A PEM file as kubeconfig wants it. */
export async function base64(file: string): Promise<string> {
  return await readFile(file, 'base64');
}

async function authority(directory: string, name: string): Promise<KeyPair> {
  const pair = pairAt(directory, name);
  const extensions = [
    'basicConstraints=critical,CA:TRUE',
    'keyUsage=critical,keyCertSign,cRLSign,digitalSignature',
  ];
  await request(pair, `/CN=tidemark-test-${name}`, extensions, []);
  return pair;
}

async function issue(
  directory: string,
  name: string,
  ca: KeyPair,
  subject: Subject,
  extensions: readonly string[],
): Promise<KeyPair> {
  const pair = pairAt(directory, name);
  const groups = (subject.groups ?? []).map((group) => `/O=${escape(group)}`).join('');
  const usage = ['basicConstraints=critical,CA:FALSE', 'keyUsage=critical,digitalSignature'];
  await request(
    pair,
    `${groups}/CN=${escape(subject.user)}`,
    [...usage, ...extensions],
    ['-CA', ca.certificate, '-CAkey', ca.key],
  );
  return pair;
}

async function request(
  pair: KeyPair,
  subject: string,
  extensions: readonly string[],
  signer: readonly string[],
) {
  const added = extensions.flatMap((extension) => ['-addext', extension]);
  const files = ['-keyout', pair.key, '-out', pair.certificate];
  // An empty configuration: the system's own would add extensions of its own.
  const args = [
    'req',
    '-x509',
    '-config',
    '/dev/null',
    ...newKey,
    '-subj',
    subject,
    ...signer,
    ...added,
    ...files,
  ];
  await run('openssl', args);
}

function pairAt(directory: string, name: string): KeyPair {
  return { certificate: join(directory, `${name}.crt`), key: join(directory, `${name}.key`) };
}

/** `/` and `+` separate names in openssl's -subj. */
function escape(name: string): string {
  return name.replaceAll(/[\\/+]/g, String.raw`\$&`);
}
