import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { NotFound } from '../../../src/kube/errors.ts';
import { counted } from '../../../src/kube/metrics/counted.ts';
import { type Row, registerFamilies } from '../../../src/kube/metrics/family.ts';
import { runtimeMetrics } from '../../../src/kube/metrics/runtime.ts';
import { resourceOf } from '../../../src/kube/path.ts';
import type { Transport } from '../../../src/kube/transport.ts';

const { signal } = new AbortController();

test.each([
  ['/api/v1/pods', 'pods'],
  ['/api/v1/namespaces/shop', 'namespaces'],
  ['/api/v1/namespaces/shop/pods/web', 'pods'],
  ['/apis/backup.tidemark.dev/v1alpha1/namespaces/shop/vmbackups/x/status', 'vmbackups/status'],
  [
    '/apis/subresources.kubevirt.io/v1/namespaces/a/virtualmachineinstances/b/freeze',
    'virtualmachineinstances/freeze',
  ],
  ['/version', 'other'],
])('%s speaks of %s', (path, resource) => {
  expect(resourceOf(path)).toBe(resource);
});

test('each request to the API server is counted by what came of it, names left out', async () => {
  const register = new Registry();
  const wire: Transport = {
    async send({ path }) {
      if (path.endsWith('gone')) throw new NotFound('NotFound', 'no such pod', { status: 404 });
    },
    async *stream() {
      yield undefined;
    },
  };
  const transport = counted(wire, runtimeMetrics(register), () => 0);
  const pod = (name: string) =>
    ({ what: 'get', method: 'GET', path: `/api/v1/namespaces/shop/pods/${name}` }) as const;
  await transport.send(pod('a'), signal);
  await transport.send(pod('b'), signal);
  await expect(transport.send(pod('gone'), signal)).rejects.toThrow('no such pod');
  for await (const line of transport.stream({ ...pod(''), path: '/api/v1/pods' }, signal))
    expect(line).toBeUndefined();
  const text = await register.getSingleMetricAsString('tidemark_api_requests_total');
  expect(
    text
      .split('\n')
      .filter((line) => !line.startsWith('#'))
      .toSorted(),
  ).toEqual([
    'tidemark_api_requests_total{verb="GET",resource="pods",code="2xx"} 2',
    'tidemark_api_requests_total{verb="GET",resource="pods",code="404"} 1',
    'tidemark_api_requests_total{verb="WATCH",resource="pods",code="2xx"} 1',
  ]);
});

test('a series is gone with the object that it spoke of', async () => {
  const register = new Registry();
  let rows: readonly Row[] = [{ labels: { vm: 'db' }, value: 1 }];
  registerFamilies(register, [{ name: 'size', help: 'x', labelNames: ['vm'], rows: () => rows }]);
  expect(await register.metrics()).toContain('size{vm="db"} 1');
  rows = [{ labels: { vm: 'web' }, value: 2 }];
  const text = await register.metrics();
  expect(text).toContain('size{vm="web"} 2');
  expect(text).not.toContain('db');
});
