import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { same, Workshop } from './mover-rig.ts';
import { freePort, makeCertificates, openNbd, readRange, untilListening } from './nbd-rig.ts';

/** TLS against QEMU and nbdkit, with authorities and certificates made here. Both servers ask for a client certificate. */
const workshop = new Workshop();
const disk = workshop.at('disk.raw');
/** What the servers were set up with; who holds it is let in. */
let good: string;
/** The servers' authority, and no certificate to show. */
let nameless: string;
/** Everything in order, but from another authority. */
let stranger: string;
/** The servers' authority, but a certificate from another one. */
let impostor: string;
const ports = { qemu: 0, nbdkit: 0 };
const socket = workshop.at('s');

beforeAll(async () => {
  workshop.tool('sh', '-c', `head -c 8M /dev/urandom > ${disk}`);
  good = makeCertificates(workshop, 'good', 'DNS:localhost,DNS:node1.example,IP:127.0.0.1');
  stranger = makeCertificates(workshop, 'stranger', 'DNS:localhost,IP:127.0.0.1');
  nameless = directoryOf('nameless', [[good, 'ca-cert.pem']]);
  impostor = directoryOf('impostor', [
    [good, 'ca-cert.pem'],
    [stranger, 'client-cert.pem'],
    [stranger, 'client-key.pem'],
  ]);

  const credentials = [
    '--object',
    `tls-creds-x509,id=tls0,endpoint=server,dir=${good},verify-peer=on`,
    '--tls-creds',
    'tls0',
  ];
  const qemu = ['-t', '-r', '-e', '8', '-f', 'raw', '-x', 'vda', ...credentials];
  ports.qemu = await freePort();
  const overTcp = workshop.start('qemu-nbd', [...qemu, '-b', '127.0.0.1', '-p', String(ports.qemu), disk]);
  const overUnix = workshop.start('qemu-nbd', [...qemu, '-k', socket, disk]);
  await untilListening(overTcp, { host: '127.0.0.1', port: ports.qemu });
  await untilListening(overUnix, { path: socket });
  ports.nbdkit = await freePort();
  const options = ['--tls=require', `--tls-certificates=${good}`, '--tls-verify-peer', '-e', 'vda'];
  const nbdkit = workshop.start('nbdkit', ['-f', '-r', '-p', String(ports.nbdkit), ...options, 'file', disk]);
  await untilListening(nbdkit, { host: '127.0.0.1', port: ports.nbdkit });
});
afterAll(() => workshop[Symbol.asyncDispose]());

function directoryOf(name: string, files: readonly (readonly [from: string, file: string])[]): string {
  mkdirSync(workshop.at(name));
  for (const [from, file] of files) copyFileSync(`${from}/${file}`, workshop.at(name, file));
  return workshop.at(name);
}

type Server = keyof typeof ports;
const at = (server: Server, host: string, certificates: string, more = ''): string =>
  `nbds://${host}:${ports[server]}/vda?tls-certificates=${encodeURIComponent(certificates)}${more}`;

async function refusalOf(uri: string): Promise<Error> {
  const opening = openNbd(uri);
  return await opening.then(
    async (connection) => {
      await connection.close();
      return new Error('it was let in');
    },
    (error: unknown) => error as Error,
  );
}

describe.each<Server>(['qemu', 'nbdkit'])('%s', (server) => {
  test.each([
    ['by name', 'localhost', ''],
    ['by address', '127.0.0.1', ''],
    ['by another name of its certificate', '127.0.0.1', '&tls-hostname=node1.example'],
  ])('is read exactly over TLS, %s', async (_, host, more) => {
    const connection = await openNbd(at(server, host, good, more));
    const bytes = await readRange(connection, 0, connection.sizeBytes);
    const status = await connection.blockStatus(0, connection.sizeBytes);
    await connection.close();
    expect(bytes.equals(readFileSync(disk))).toBe(true);
    expect(status.get('base:allocation')).toBeDefined();
  });

  test.each<[string, () => string, RegExp]>([
    [
      'that is not the host in its certificate',
      () => at(server, '127.0.0.1', good, '&tls-hostname=node2.example'),
      /not for "node2.example".*tls-hostname=/,
    ],
    [
      'that another authority vouches for',
      () => at(server, 'localhost', stranger),
      /not signed by an authority we trust.*ca-cert.pem/,
    ],
    [
      'that no known authority vouches for',
      () => `nbds://localhost:${ports[server]}/vda`,
      /not signed by an authority we trust/,
    ],
    [
      'to which we show no certificate',
      () => at(server, 'localhost', nameless),
      /hung up, maybe on our certificate|did not accept our certificate/,
    ],
    [
      'to which we show a certificate of another authority',
      () => at(server, 'localhost', impostor),
      /hung up, maybe on our certificate|did not accept our certificate/,
    ],
    [
      'that wants TLS, and we do not',
      () => `nbd://localhost:${ports[server]}/vda`,
      /TLS required.*nbds:\/\/.*tls-certificates=/,
    ],
  ])('a server %s is refused with words that help', async (_, uri, message) => {
    expect(await refusalOf(uri())).toMatchObject({
      reason: 'NbdRefused',
      message: expect.stringMatching(message),
    });
  });
});

test('a unix socket has no name: "localhost" must stand in the certificate, or the name given', async () => {
  const uri = (more: string): string => `nbds+unix:///vda?socket=${socket}&tls-certificates=${good}${more}`;
  for (const more of ['', '&tls-hostname=node1.example']) {
    const connection = await openNbd(uri(more));
    expect((await readRange(connection, 4096, 10)).equals(readFileSync(disk).subarray(4096, 4106))).toBe(
      true,
    );
    await connection.close();
  }
  expect(await refusalOf(uri('&tls-hostname=other'))).toMatchObject({ reason: 'NbdRefused' });
});

test('a server without TLS is not read from where nbds was asked for', async () => {
  await using served = await workshop.serve(disk, 'raw');
  const uri = `${served.uri.replace('nbd+unix', 'nbds+unix')}&tls-certificates=${good}`;
  expect(await refusalOf(uri)).toMatchObject({
    reason: 'NbdRefused',
    message: expect.stringMatching(/nothing is sent without it/),
  });
});

test('a backup over TLS restores to the disk', async () => {
  const directory = workshop.at('repo', 'b0');
  const made = await workshop.mover(
    'backup',
    '--source',
    at('qemu', 'localhost', good),
    '--volume',
    'vda',
    '--to',
    directory,
  );
  expect([made.code, made.stderr]).toEqual([0, expect.any(String)]);
  const to = workshop.at('restored.raw');
  await workshop.mover('restore', '--from', directory, '--volume', 'vda', '--to', to);
  expect(same(to, disk)).toBe(true);
});
