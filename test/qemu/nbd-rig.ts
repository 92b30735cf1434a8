import type { ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectNbd, type NbdConnection } from '../../src/mover/nbd/connection.ts';
import { parseNbdUri } from '../../src/mover/nbd/uri.ts';
import type { Workshop } from './mover-rig.ts';

/** Opens an export as the mover does, with a deadline that only a hanging server reaches. */
export async function openNbd(
  uri: string,
  contexts: readonly string[] = ['base:allocation'],
  signal = new AbortController().signal,
  stallMilliseconds = 60_000,
): Promise<NbdConnection> {
  return await connectNbd({ address: parseNbdUri(uri), contexts, stallMilliseconds }, signal);
}

/** The bytes of a range, by reads of odd sizes. */
export async function readRange(connection: NbdConnection, offset: number, length: number): Promise<Buffer> {
  const all = Buffer.alloc(length, 0xee);
  const piece = 100_003;
  for (let at = 0; at < length; at += piece) await connection.read(offset + at, all.subarray(at, at + piece));
  return all;
}

/** A TCP port that nobody listens on just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until somebody accepts connections there. */
export async function untilListening(
  child: ChildProcess,
  to: { readonly path: string } | { readonly host: string; readonly port: number },
): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    const socket = connect(to);
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await sleep(20);
  }
  throw new Error(`${child.spawnfile} did not start`);
}

/** A directory with an authority, and a certificate for a server and one for a client, as QEMU and libnbd name them. */
export function makeCertificates(workshop: Workshop, name: string, serverNames: string): string {
  const directory = workshop.at(name);
  mkdirSync(directory);
  writeFileSync(workshop.at(name, 'server.ext'), `subjectAltName=${serverNames}\n`);
  writeFileSync(workshop.at(name, 'client.ext'), 'extendedKeyUsage=clientAuth\n');
  const script = `cd "$1" && new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
    openssl req -x509 $new -keyout ca-key.pem -out ca-cert.pem -subj "/CN=authority of $2" -days 2
    for who in server client; do
      openssl req $new -keyout $who-key.pem -out $who.csr -subj /CN=$who
      openssl x509 -req -in $who.csr -CA ca-cert.pem -CAkey ca-key.pem -CAcreateserial -out $who-cert.pem -days 2 -extfile $who.ext
    done`;
  workshop.tool('sh', '-ec', script, 'sh', directory, name);
  return directory;
}
