import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';
import { abortReason, sleep, systemClock } from './clock.ts';
import { deadline } from './deadline.ts';
import { BadResponse, errorFromStatus, KubeError, TooManyRequests, Unreachable } from './errors.ts';
import { jsonLines } from './json-lines.ts';

/** One HTTP request to the API server. */
export interface KubeRequest {
  /** In words, for error messages: `get VMBackup ns/name`. */
  readonly what: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** What the answer is; JSON unless said otherwise. */
  readonly answer?: 'json' | 'text';
  /** Limit for the whole request, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Sends requests. Both throw the classes of errors.ts, or the signal's reason. */
export interface Transport {
  /** Resolves to the parsed JSON body, undefined if it is empty; to the text as it is, if that is what was asked for. */
  send(request: KubeRequest, signal: AbortSignal): Promise<unknown>;
  /** Yields undefined once the answer begins, then each line of the body, parsed. */
  stream(request: KubeRequest, signal: AbortSignal): AsyncIterable<unknown>;
}

const defaultTimeoutMs = 30_000;

/** A server that is busy for no longer than this is waited for here, so many times: it says one second, and has done nothing yet. */
const shortWaitMs = 2_000;
const shortWaits = 5;

/**
 * HTTP with the server, certificates and tokens of a kubeconfig. We do not send through client-node: it opens a
 * TLS connection for every request (a new undici Agent in `applySecurityAuthentication`), and has no time limits.
 * Credentials are read anew for each request, so rotated tokens and certificates are picked up.
 */
export function httpTransport(config: KubeConfig, userAgent: string): Transport {
  const pool = { keepAlive: true, keepAliveMsecs: 30_000 };
  const agents = { http: new http.Agent(pool), https: new https.Agent(pool) };

  async function exchange(request: KubeRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const cluster = config.getCurrentCluster();
    if (cluster === null)
      throw new KubeError('NoCluster', 'The kubeconfig has no current cluster: set a context.');
    const url = new URL(cluster.server.replace(/\/+$/, '') + request.path);
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, String(value));
    }
    const body = request.body === undefined ? undefined : JSON.stringify(request.body);
    const headers: Record<string, string> = { Accept: 'application/json', 'User-Agent': userAgent };
    if (body !== undefined) {
      headers['Content-Type'] = request.contentType ?? 'application/json';
      // Without it Node sends the body of a DELETE unframed, and the server takes it for the next request.
      headers['Content-Length'] = `${Buffer.byteLength(body)}`;
    }
    const options: https.RequestOptions = { method: request.method, headers, signal };
    await config.applyToHTTPSOptions(options);
    // client-node's agent reconnects for each request, so it is kept only where it goes through a proxy.
    if (cluster.proxyUrl === undefined)
      options.agent = url.protocol === 'https:' ? agents.https : agents.http;
    try {
      return await begin(url, options, body);
    } catch (error) {
      if (error instanceof StaleConnection && request.method !== 'POST')
        return await begin(url, options, body);
      throw error;
    }
  }

  async function open(request: KubeRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    const response = await exchange(request, signal);
    const status = response.statusCode ?? 0;
    if (status >= 200 && status < 300) return response;
    const said = await text(response);
    throw errorFromStatus(request.what, status, parsed(said) ?? said, response.headers['retry-after']);
  }

  async function openSoon(request: KubeRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
    for (let waits = 0; ; waits += 1) {
      try {
        return await open(request, signal);
      } catch (error) {
        const waitMs = error instanceof TooManyRequests ? (error.retryAfterMs ?? Infinity) : Infinity;
        if (waitMs > shortWaitMs || waits === shortWaits) throw error;
        await sleep(systemClock, waitMs, signal);
      }
    }
  }

  return {
    async send(request, signal) {
      using limit = deadline(request.timeoutMs ?? defaultTimeoutMs, signal);
      try {
        const said = await text(await openSoon(request, limit.signal));
        if (request.answer === 'text') return said;
        if (said === '') return undefined;
        const body = parsed(said);
        if (body !== undefined) return body;
        throw new BadResponse(
          'BadResponse',
          `Cannot ${request.what}: the answer is not JSON: ${said.slice(0, 200)}`,
        );
      } catch (error) {
        throw explained(error, request, limit.signal, signal);
      }
    },

    async *stream(request, signal) {
      using limit = deadline(request.timeoutMs ?? defaultTimeoutMs, signal);
      try {
        const response = await open(request, limit.signal);
        yield undefined;
        yield* jsonLines(response, request.what);
      } catch (error) {
        throw explained(error, request, limit.signal, signal);
      }
    },
  };
}

/** The server closed a kept connection in the very moment that we used it again: that says nothing about the server. */
class StaleConnection extends Error {}

/** Sends a request; resolves when the head of the answer is here. */
function begin(
  url: URL,
  options: https.RequestOptions,
  body: string | undefined,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? https : http).request(url, options, resolve);
    // Finds out in about 40 s that the other end is gone, even on a silent watch.
    request.on('socket', (socket) => socket.setKeepAlive(true, 30_000));
    request.on('error', (error: NodeJS.ErrnoException) => {
      const stale = request.reusedSocket && error.code === 'ECONNRESET';
      reject(stale ? new StaleConnection(error.message, { cause: error }) : error);
    });
    request.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function explained(error: unknown, request: KubeRequest, limit: AbortSignal, signal: AbortSignal): unknown {
  if (signal.aborted) return abortReason(signal);
  if (error instanceof KubeError) return error;
  const cause = limit.aborted ? abortReason(limit) : error;
  const why = cause instanceof Error ? cause.message || cause.name : String(cause);
  const message = `Cannot ${request.what}: the API server cannot be reached (${why}). Check that it runs, and the network.`;
  return new Unreachable('Unreachable', message, { cause });
}
