import { mkdir, readFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { run } from '../control-plane/run.ts';

export interface LogServer extends AsyncDisposable {
  readonly port: number;
}

type Logs = (namespace: string, pod: string) => Promise<string> | undefined;

/** The one part of a kubelet's API that the API server asks for us: GET /containerLogs/{namespace}/{pod}/{container}. */
export async function serveLogs(directory: string, logs: Logs): Promise<LogServer> {
  await mkdir(directory, { recursive: true });
  const [key, cert] = [join(directory, 'kubelet.key'), join(directory, 'kubelet.crt')];
  const selfSigned = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ];
  await run('openssl', [...selfSigned, '-subj', '/CN=kubelet', '-keyout', key, '-out', cert]);
  const server = createServer(
    { key: await readFile(key), cert: await readFile(cert) },
    (request, response) => {
      const url = new URL(request.url ?? '/', 'https://kubelet');
      const [, api, namespace = '', pod = ''] = url.pathname.split('/');
      const text = api === 'containerLogs' ? logs(namespace, pod) : undefined;
      if (text === undefined) {
        response.writeHead(404).end('no such container');
        return;
      }
      const lines = Number(url.searchParams.get('tailLines') ?? Number.POSITIVE_INFINITY);
      text.then(
        (log) => response.end(log.trimEnd().split('\n').slice(-lines).join('\n')),
        (error: unknown) => response.writeHead(500).end(String(error)),
      );
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    // A TCP server that listens has an address with a port.
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
