import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { describe, expect, test, vi } from 'vitest';
import {
  AlreadyExists,
  BadResponse,
  Conflict,
  Expired,
  Forbidden,
  Invalid,
  KubeError,
  NotFound,
  TooManyRequests,
  Unreachable,
} from '../../src/kube/errors.ts';
import { httpTransport, type KubeRequest } from '../../src/kube/transport.ts';
import { configFor, json, startFakeApiServer, status, watchLines } from './fake-api-server.ts';

// Real connections, on a machine that may be busy.
vi.setConfig({ testTimeout: 60_000 });

const never = new AbortController().signal;
const read: KubeRequest = { what: 'get Thing ns/a', method: 'GET', path: '/apis/example.dev/v1/things/a' };

async function failure(promise: Promise<unknown>): Promise<KubeError> {
  const error: unknown = await promise.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (error instanceof KubeError) return error;
  throw new Error('expected a KubeError', { cause: error });
}

describe('a request', () => {
  test('carries the token, the query and the body, and keeps its connection', async () => {
    await using server = await startFakeApiServer();
    server.answer = (response) => json(response, 200, { fine: true });
    const transport = server.transport();
    const query = { fieldManager: 'me', force: true, absent: undefined };
    for (const method of ['PATCH', 'DELETE', 'PUT', 'POST'] as const) {
      const request: KubeRequest = { ...read, method, query, body: { a: 'ä' }, contentType: 'application/x' };
      expect(await transport.send(request, never)).toEqual({ fine: true });
    }
    expect(server.seen.map(({ method }) => method)).toEqual(['PATCH', 'DELETE', 'PUT', 'POST']);
    expect(new Set(server.seen.map(({ body }) => body))).toEqual(new Set(['{"a":"ä"}']));
    expect(new Set(server.seen.map(({ port }) => port)).size).toBe(1);
    const [first] = server.seen;
    expect(first?.headers).toMatchObject({
      authorization: 'Bearer secret',
      'content-type': 'application/x',
      'user-agent': 'test/1',
    });
    expect(first?.query.toString()).toBe('fieldManager=me&force=true');
  });

  test('carries the token that the kubelet has put into the file since', async () => {
    await using server = await startFakeApiServer();
    server.answer = (response) => json(response, 200, {});
    const directory = await mkdtemp(join(tmpdir(), 'token-'));
    const tokenFile = join(directory, 'token');
    vi.useFakeTimers({ toFake: ['Date'] });
    try {
      const config = new KubeConfig();
      const authProvider = { name: 'tokenFile', config: { tokenFile } };
      config.loadFromClusterAndUser(
        { name: 'c', server: server.url, skipTLSVerify: true },
        { name: 'u', authProvider },
      );
      const transport = httpTransport(config, 'test/1');
      for (const token of ['first', 'second']) {
        await writeFile(tokenFile, token);
        await transport.send(read, never);
        vi.setSystemTime(Date.now() + 61_000);
      }
    } finally {
      vi.useRealTimers();
      await rm(directory, { recursive: true });
    }
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer first',
      'Bearer second',
    ]);
  });

  test.each([
    { code: 404, reason: 'NotFound', Class: NotFound },
    { code: 409, reason: 'AlreadyExists', Class: AlreadyExists },
    { code: 409, reason: 'Conflict', Class: Conflict },
    { code: 403, reason: 'Forbidden', Class: Forbidden },
    { code: 422, reason: 'Invalid', Class: Invalid },
    { code: 410, reason: 'Expired', Class: Expired },
    { code: 410, reason: 'Gone', Class: Expired },
    { code: 429, reason: 'TooManyRequests', Class: TooManyRequests },
    { code: 500, reason: 'InternalError', Class: KubeError },
  ])(
    'that is answered with $code $reason throws it, with the words of the server',
    async ({ code, reason, Class }) => {
      await using server = await startFakeApiServer();
      server.answer = (response) => json(response, code, status(code, reason, 'the words of the server'));
      const error = await failure(server.transport().send(read, never));
      expect(error).toBeInstanceOf(Class);
      expect(error).toMatchObject({ reason, status: code });
      expect(error.message).toContain('Cannot get Thing ns/a: the words of the server');
    },
  );

  test.each([
    { code: 404, body: '404 page not found', Class: NotFound, reason: 'NotFound' },
    { code: 500, body: 'unexpected virDomainFSFreeze code 74', Class: KubeError, reason: 'HTTP500' },
    { code: 502, body: '', Class: KubeError, reason: 'HTTP502' },
  ])(
    'that is answered with $code and the text "$body" throws with it',
    async ({ code, body, Class, reason }) => {
      await using server = await startFakeApiServer();
      server.answer = (response) => void response.writeHead(code).end(body);
      const error = await failure(server.transport().send(read, never));
      expect(error).toBeInstanceOf(Class);
      expect(error.reason).toBe(reason);
      expect(error.message).toContain(body === '' ? `HTTP ${code}` : body);
    },
  );

  test('says how long a busy server wants to be left alone', async () => {
    await using server = await startFakeApiServer();
    server.answer = (response) =>
      json(response, 429, status(429, 'TooManyRequests', 'busy'), { 'Retry-After': '7' });
    expect(await failure(server.transport().send(read, never))).toMatchObject({ retryAfterMs: 7000 });
  });

  test('to a server that is busy for a second is sent again when that is over', async () => {
    await using server = await startFakeApiServer();
    const began = Date.now();
    server.answer = (response) =>
      server.seen.length > 1
        ? json(response, 200, {})
        : json(response, 429, status(429, 'TooManyRequests', 'busy'), { 'Retry-After': '1' });
    expect(await server.transport().send(read, never)).toEqual({});
    expect(server.seen).toHaveLength(2);
    expect(Date.now() - began).toBeGreaterThan(900);
  });

  test('does not take what is not JSON for an answer', async () => {
    await using server = await startFakeApiServer();
    server.answer = (response) => void response.writeHead(200).end('<html>log in</html>');
    expect(await failure(server.transport().send(read, never))).toBeInstanceOf(BadResponse);
  });

  test('to a server that is not there says that it cannot be reached', async () => {
    const server = await startFakeApiServer();
    await server[Symbol.asyncDispose]();
    const error = await failure(httpTransport(configFor(server.url), 'test/1').send(read, never));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('ECONNREFUSED');
  });

  test('that gets no answer ends after its time limit', async () => {
    await using server = await startFakeApiServer();
    server.answer = () => {};
    const error = await failure(server.transport().send({ ...read, timeoutMs: 100 }, never));
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toContain('no answer within 0.1 s');
  });

  test('whose answer is cut in the middle says that the server cannot be reached', async () => {
    await using server = await startFakeApiServer();
    server.answer = (response) => {
      response.writeHead(200, { 'Content-Length': '1000' });
      response.write('{"half":', () => response.socket?.destroy());
    };
    expect(await failure(server.transport().send(read, never))).toBeInstanceOf(Unreachable);
  });

  test('ends at once, with the reason of the signal, when that aborts', async () => {
    await using server = await startFakeApiServer();
    const stop = new AbortController();
    const reason = new Error('stopping');
    server.answer = () => stop.abort(reason);
    await expect(server.transport().send(read, stop.signal)).rejects.toBe(reason);
    await expect(server.transport().send(read, stop.signal)).rejects.toBe(reason);
  });

  test('is sent again if the server closed the kept connection meanwhile, unless it creates', async () => {
    await using server = await startFakeApiServer();
    const transport = server.transport();
    server.answer = (response) => json(response, 200, {});
    await transport.send(read, never);
    const kept = server.seen[0]?.port;
    server.answer = (response, { port }) => {
      if (port === kept) response.socket?.resetAndDestroy();
      else json(response, 200, { again: true });
    };
    expect(await transport.send(read, never)).toEqual({ again: true });

    server.answer = (response) => void response.socket?.resetAndDestroy();
    const before = server.seen.length;
    await failure(transport.send({ ...read, method: 'POST', body: {} }, never));
    expect(server.seen.length).toBe(before + 1);
  });
});

describe('a stream', () => {
  test('yields undefined at its head, and each line, however the server cuts them', async () => {
    await using server = await startFakeApiServer();
    const bytes = Buffer.from('{"a":"ä"}\n\n{"b":2}\n{"c":3}');
    server.answer = (response) => {
      response.writeHead(200);
      for (const byte of bytes) response.write(Buffer.of(byte));
      response.end();
    };
    const lines: unknown[] = [];
    for await (const line of server.transport().stream(read, never)) lines.push(line);
    expect(lines).toEqual([undefined, { a: 'ä' }, { b: 2 }, { c: 3 }]);
  });

  test.each([
    { name: 'garbage', line: '{"type":"ADDED","obj', end: 'end', Class: BadResponse },
    { name: 'a cut connection', line: '', end: 'cut', Class: Unreachable },
  ])('throws at $name, after what came before', async ({ line, end, Class }) => {
    await using server = await startFakeApiServer();
    server.answer = (response) => {
      watchLines(response, { fine: 1 });
      response.write(line || ' ', () => (end === 'end' ? response.end() : response.socket?.destroy()));
    };
    const lines: unknown[] = [];
    const reading = (async () => {
      for await (const it of server.transport().stream(read, never)) lines.push(it);
    })();
    expect(await failure(reading)).toBeInstanceOf(Class);
    expect(lines).toEqual([undefined, { fine: 1 }]);
  });

  test('closes its connection when the reader leaves', async () => {
    await using server = await startFakeApiServer();
    const closed = Promise.withResolvers<void>();
    server.answer = (response) => {
      response.on('close', closed.resolve);
      watchLines(response, { fine: 1 });
    };
    for await (const line of server.transport().stream(read, never)) if (line !== undefined) break;
    await closed.promise;
  });

  test('ends with the reason of the signal', async () => {
    await using server = await startFakeApiServer();
    const stop = new AbortController();
    server.answer = (response) => watchLines(response, { fine: 1 });
    const reading = (async () => {
      for await (const line of server.transport().stream(read, stop.signal)) {
        if (line !== undefined) stop.abort(new Error('stopping'));
      }
    })();
    await expect(reading).rejects.toThrow('stopping');
  });
});
