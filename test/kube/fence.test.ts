import { expect, test } from 'vitest';
import { fenced } from '../../src/kube/fence.ts';
import type { Transport } from '../../src/kube/transport.ts';

test('without the lease nothing is written, and all can be read', async () => {
  const sent: string[] = [];
  const wire: Transport = {
    send: async ({ what }) => sent.push(what),
    async *stream() {
      yield undefined;
    },
  };
  let holds = false;
  const transport = fenced(wire, () => holds);
  const { signal } = new AbortController();
  const write = { what: 'create X', method: 'POST', path: '/x' } as const;
  await transport.send({ what: 'get X', method: 'GET', path: '/x' }, signal);
  await expect(transport.send(write, signal)).rejects.toThrow(
    'Cannot create X: this process does not hold the lease',
  );
  holds = true;
  await transport.send(write, signal);
  expect(sent).toEqual(['get X', 'create X']);
});
