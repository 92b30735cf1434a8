import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { httpTransport, type Transport } from '../../src/kube/transport.ts';

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Tells connections apart. */
  readonly port: number;
}

export type Answer = (response: ServerResponse, request: SeenRequest) => void;

/** An API server of our own, for what a real one does only on bad days. Answers by a function that tests replace. */
export interface FakeApiServer extends AsyncDisposable {
  readonly url: string;
  readonly seen: SeenRequest[];
  answer: Answer;
  transport(): Transport;
}

export async function startFakeApiServer(): Promise<FakeApiServer> {
  const server = createServer((incoming, response) => void answer(incoming, response));
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(incoming);
    const url = new URL(incoming.url ?? '/', 'http://fake');
    const request: SeenRequest = {
      method: incoming.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: incoming.headers,
      body,
      port: incoming.socket.remotePort ?? 0,
    };
    fake.seen.push(request);
    fake.answer(response, request);
  };
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('The fake API server has no port.');
  const url = `http://127.0.0.1:${address.port}`;
  const fake: FakeApiServer = {
    url,
    seen: [],
    answer: (response) => json(response, 500, status(500, 'InternalError', 'no answer was written')),
    transport: () => httpTransport(configFor(url), 'test/1'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => {
        server.close(resolve);
      });
    },
  };
  return fake;
}

/** A kubeconfig for plain HTTP on loopback. */
export function configFor(server: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    { name: 'fake', server, skipTLSVerify: true },
    { name: 'someone', token: 'secret' },
  );
  return config;
}

/** Answers with JSON. */
export function json(
  response: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(code, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

/** A `metav1.Status` of failure. */
export function status(code: number, reason: string, message: string): object {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message };
}

/** Begins a watch: sends the head, and each event as a line. The test ends it. */
export function watchLines(response: ServerResponse, ...events: readonly object[]): void {
  if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/json' });
  response.flushHeaders();
  for (const event of events) response.write(`${JSON.stringify(event)}\n`);
}
