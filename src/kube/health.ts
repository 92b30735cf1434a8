import { createServer, type Server, type ServerResponse } from 'node:http';

/** Says what is wrong, or undefined if all is well. */
export type Check = () => string | undefined | Promise<string | undefined>;

export interface HealthOptions {
  /** 0 for any free one. */
  readonly port: number;
  readonly host?: string;
  /** `/healthz`: restart me if one fails. */
  readonly live: Readonly<Record<string, Check>>;
  /** `/readyz`: do not count on me while one fails. */
  readonly ready: Readonly<Record<string, Check>>;
  /** `/metrics`. */
  readonly metrics?: Exposition;
}

/** What a registry of metrics has to say, as a Prometheus reads it. */
export interface Exposition {
  readonly contentType: string;
  metrics(): Promise<string>;
}

export interface HealthServer extends AsyncDisposable {
  /** The port it listens on. */
  readonly port: number;
}

/** Serves /healthz and /readyz for the kubelet, /metrics for Prometheus. Rejects if the port cannot be had. Dispose to stop. */
export async function serveHealth(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?')[0];
    const checks = path === '/healthz' ? options.live : path === '/readyz' ? options.ready : undefined;
    if (path === '/metrics' && options.metrics !== undefined) void expose(options.metrics, response);
    else if (checks === undefined) response.writeHead(404).end('not found\n');
    else void answer(checks, response);
  });
  await listening(server, options);
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : options.port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function listening(server: Server, options: HealthOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => resolve());
  });
}

async function answer(checks: Readonly<Record<string, Check>>, response: ServerResponse): Promise<void> {
  const results = await Promise.all(Object.entries(checks).map(([name, check]) => outcomeOf(name, check)));
  const healthy = results.every(({ failure }) => failure === undefined);
  const lines = results.map(({ name, failure }) =>
    failure === undefined ? `[+]${name} ok` : `[-]${name}: ${failure}`,
  );
  response.writeHead(healthy ? 200 : 503, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${[...lines, healthy ? 'ok' : 'failed'].join('\n')}\n`);
}

async function expose(metrics: Exposition, response: ServerResponse): Promise<void> {
  try {
    const text = await metrics.metrics();
    response.writeHead(200, { 'Content-Type': metrics.contentType }).end(text);
  } catch (error) {
    // Half of the numbers would be taken for all of them.
    response.writeHead(500).end(`${error instanceof Error ? error.message : String(error)}\n`);
  }
}

async function outcomeOf(name: string, check: Check): Promise<{ name: string; failure: string | undefined }> {
  try {
    return { name, failure: await check() };
  } catch (error) {
    return { name, failure: error instanceof Error ? error.message : String(error) };
  }
}
