import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ApplyOptions, Kube } from '../../src/kube/client.ts';
import { kubeOver } from '../../src/kube/http-kube.ts';
import type { Kind } from '../../src/kube/kind.ts';
import { writeStatus } from '../../src/kube/status.ts';
import type { KubeRequest } from '../../src/kube/transport.ts';

const schema = z.object({
  metadata: z.object({
    namespace: z.string(),
    name: z.string(),
    uid: z.string().optional(),
    resourceVersion: z.string(),
  }),
  status: z.object({ mine: z.unknown(), also: z.unknown(), theirs: z.unknown() }).partial().optional(),
});
type Box = z.infer<typeof schema>;
const boxes: Kind<Box> = {
  apiVersion: 'example.dev/v1',
  kind: 'Box',
  plural: 'boxes',
  namespaced: true,
  parse: (raw) => schema.parse(raw),
};
const writer = { fieldManager: 'me', fields: ['mine', 'also'] } as const;

function rig(): { kube: Kube; sent: KubeRequest[] } {
  const sent: KubeRequest[] = [];
  const kube = kubeOver({
    send(request) {
      sent.push(request);
      return Promise.resolve(request.body);
    },
    async *stream() {},
  });
  return { kube, sent };
}

function box(status?: Box['status']): Box {
  return { metadata: { namespace: 'ns', name: 'a', uid: 'u', resourceVersion: '1' }, status };
}

describe('a status', () => {
  test.each<{ name: string; now: Box['status']; desired: NonNullable<Box['status']>; writes: boolean }>([
    { name: 'is written if there was none', now: undefined, desired: { mine: 1 }, writes: true },
    {
      name: 'is not written if it says that already',
      now: { mine: { a: [1] } },
      desired: { mine: { a: [1] } },
      writes: false,
    },
    {
      name: 'is not written for an absent member',
      now: { mine: { a: 1 } },
      desired: { mine: { a: 1, b: undefined } },
      writes: false,
    },
    {
      name: 'is not written for the order of members',
      now: { mine: { a: 1, b: 2 } },
      desired: { mine: { b: 2, a: 1 } },
      writes: false,
    },
    {
      name: 'is not written for what others said',
      now: { mine: 1, theirs: 2 },
      desired: { mine: 1 },
      writes: false,
    },
    { name: 'is written if a field changed', now: { mine: 1 }, desired: { mine: 2 }, writes: true },
    { name: 'is written if a field is to go', now: { mine: 1, also: 2 }, desired: { mine: 1 }, writes: true },
    {
      name: 'is not written if nothing is said, and nothing was',
      now: undefined,
      desired: {},
      writes: false,
    },
  ])('$name', async ({ now, desired, writes }) => {
    const { kube, sent } = rig();
    const wrote = await writeStatus(kube, boxes, box(now), desired, writer, new AbortController().signal);
    expect(wrote !== undefined).toBe(writes);
    expect(sent).toHaveLength(writes ? 1 : 0);
  });

  test('is applied to this very object, by its writer, without the fields of others', async () => {
    const { kube, sent } = rig();
    await writeStatus(
      kube,
      boxes,
      box({ theirs: 1 }),
      { mine: 1, theirs: 2 },
      writer,
      new AbortController().signal,
    );
    const options: ApplyOptions = { fieldManager: 'me', force: true };
    expect(sent[0]).toMatchObject({
      method: 'PATCH',
      path: '/apis/example.dev/v1/namespaces/ns/boxes/a/status',
      contentType: 'application/apply-patch+yaml',
      query: options,
    });
    expect(JSON.parse(JSON.stringify(sent[0]?.body))).toEqual({
      apiVersion: 'example.dev/v1',
      kind: 'Box',
      metadata: { namespace: 'ns', name: 'a', resourceVersion: '1' },
      status: { mine: 1 },
    });
  });
});
