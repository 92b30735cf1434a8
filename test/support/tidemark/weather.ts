import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, createServer, request } from 'node:https';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import type { ControlPlane } from '../control-plane/control-plane.ts';

/** What is known of a request when its fate is decided. */
export interface Passing {
  readonly method: string;
  readonly isWatch: boolean;
}

/** What becomes of a request: undefined lets it through. */
export type Fate =
  | undefined
  /** Never reaches the API server. */
  | {
      readonly kind: 'Refused';
      readonly code: number;
      readonly reason: string;
      readonly retryAfterSeconds?: number;
    }
  /** Reaches it, and the answer gets lost. */
  | { readonly kind: 'AnswerLost' }
  /** The answer is cut, wherever it is, after so long. */
  | { readonly kind: 'CutAfter'; readonly ms: number }
  /** A watch that says that its version is too old. */
  | { readonly kind: 'Expired' };

/** Stands between Tidemark's programs and the API server, and lets through what the weather lets through. Test and kubectl go past it. */
export interface Weather extends AsyncDisposable {
  /** The kubeconfig at this path, by way of the weather. */
  through(kubeconfig: string): Promise<string>;
  /** Changes the weather, which cuts every connection, and begins to count anew. */
  change(weather: (passing: Passing) => Fate): void;
  /** Requests since the last change. */
  readonly requests: number;
}

export async function startWeather(cluster: ControlPlane): Promise<Weather> {
  const agent = new Agent({ keepAlive: true, ca: cluster.ca });
  let fateOf: (passing: Passing) => Fate = () => undefined;
  let requests = 0;

  const pass = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = 'GET', url = '/', headers } = incoming;
    const isWatch = new URL(url, cluster.server).searchParams.has('watch');
    const fate = fateOf({ method, isWatch });
    requests += 1;
    if (fate?.kind === 'Refused') {
      incoming.resume();
      const after = fate.retryAfterSeconds === undefined ? {} : { 'Retry-After': fate.retryAfterSeconds };
      response.writeHead(fate.code, { 'content-type': 'application/json', ...after });
      response.end(JSON.stringify(failure(fate.code, fate.reason)));
      return;
    }
    if (fate?.kind === 'Expired') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ type: 'ERROR', object: failure(410, 'Expired') })}\n`);
      return;
    }
    const outgoing = request(new URL(url, cluster.server), { method, headers, agent });
    response.once('close', () => outgoing.destroy());
    const answered = once(outgoing, 'response');
    await Promise.all([pipeline(incoming, outgoing), answered]);
    const [answer] = (await answered) as [IncomingMessage];
    if (fate?.kind === 'AnswerLost') {
      answer.resume();
      response.socket?.destroy();
      return;
    }
    if (fate?.kind === 'CutAfter') setTimeout(() => response.socket?.destroy(), fate.ms).unref();
    response.writeHead(answer.statusCode ?? 500, answer.headers);
    response.flushHeaders();
    await pipeline(answer, response);
  };

  const ours = (name: string) => readFile(join(cluster.dir, 'pki', name));
  // It speaks with the API server's own certificate: the programs talk to nobody else.
  const tls = { cert: await ours('server.crt'), key: await ours('server.key') };
  const server = createServer(tls, (incoming, response) => {
    // Whoever goes away in the middle, the API server or the program: the other end finds out by the cut.
    pass(incoming, response).catch(() => response.socket?.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    async through(kubeconfig) {
      const path = `${kubeconfig}.weather`;
      const config = await readFile(kubeconfig, 'utf8');
      await writeFile(path, config.replaceAll(cluster.server, `https://127.0.0.1:${port}`), { mode: 0o600 });
      return path;
    },
    change(weather) {
      fateOf = weather;
      requests = 0;
      // What is open was opened in other weather.
      server.closeAllConnections();
    },
    get requests() {
      return requests;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      agent.destroy();
      await once(server.close(), 'close');
    },
  };
}

function failure(code: number, reason: string): object {
  const message = `the weather says ${code}`;
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', code, reason, message };
}
