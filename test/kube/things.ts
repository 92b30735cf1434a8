import { z } from 'zod';
import { type Kind, objectMeta } from '../../src/kube/kind.ts';

const thing = z.object({
  metadata: objectMeta,
  spec: z.object({ size: z.number(), tags: z.array(z.string()).default([]) }),
});
export type Thing = z.infer<typeof thing>;

/** A kind for tests. */
export const things: Kind<Thing> = {
  apiVersion: 'example.dev/v1',
  kind: 'Thing',
  plural: 'things',
  namespaced: true,
  parse: (raw) => thing.parse(raw),
};

/** A Thing as the API server would send it. */
export function rawThing(name: string, version: number, spec: object = { size: 1 }): object {
  return {
    apiVersion: things.apiVersion,
    kind: things.kind,
    metadata: {
      namespace: 'ns',
      name,
      uid: `uid-${name}`,
      resourceVersion: `${version}`,
      generation: 1,
      creationTimestamp: '2026-01-01T00:00:00Z',
    },
    spec,
  };
}

/** A list of such. */
export function listOf(version: number, items: readonly object[], next?: string): object {
  return { kind: 'ThingList', metadata: { resourceVersion: `${version}`, continue: next ?? '' }, items };
}
