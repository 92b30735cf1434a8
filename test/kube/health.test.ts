import { expect, test } from 'vitest';
import { serveHealth } from '../../src/kube/health.ts';

async function ask(port: number, path: string): Promise<[number, string]> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`);
  return [response.status, await response.text()];
}

test('health answers for each check by name, and stops', async () => {
  let trouble: string | undefined;
  const server = await serveHealth({
    port: 0,
    host: '127.0.0.1',
    live: {},
    ready: {
      cache: () => trouble,
      libvirt: () => {
        if (trouble !== undefined) throw new Error('no socket');
        return undefined;
      },
    },
  });
  expect(await ask(server.port, '/healthz')).toEqual([200, 'ok\n']);
  expect(await ask(server.port, '/readyz?verbose')).toEqual([200, '[+]cache ok\n[+]libvirt ok\nok\n']);
  trouble = 'silent for 400 s';
  expect(await ask(server.port, '/readyz')).toEqual([
    503,
    '[-]cache: silent for 400 s\n[-]libvirt: no socket\nfailed\n',
  ]);
  expect((await ask(server.port, '/'))[0]).toBe(404);
  await expect(serveHealth({ port: server.port, host: '127.0.0.1', live: {}, ready: {} })).rejects.toThrow(
    'EADDRINUSE',
  );
  await server[Symbol.asyncDispose]();
  await expect(ask(server.port, '/healthz')).rejects.toThrow();
});

test('metrics are served where a registry is given, and told as broken when it throws', async () => {
  let broken = false;
  const metrics = {
    contentType: 'text/plain; version=0.0.4',
    metrics: async () => {
      if (broken) throw new Error('half of the numbers');
      return 'up 1\n';
    },
  };
  await using server = await serveHealth({ port: 0, host: '127.0.0.1', live: {}, ready: {}, metrics });
  expect(await ask(server.port, '/metrics')).toEqual([200, 'up 1\n']);
  broken = true;
  expect(await ask(server.port, '/metrics')).toEqual([500, 'half of the numbers\n']);
  await using without = await serveHealth({ port: 0, host: '127.0.0.1', live: {}, ready: {} });
  expect((await ask(without.port, '/metrics'))[0]).toBe(404);
});
