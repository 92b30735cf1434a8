import { z } from 'zod';
import { type Kind, objectMeta } from '../../src/kube/kind.ts';

const gadget = z.object({
  metadata: objectMeta,
  spec: z.object({ size: z.number() }),
  status: z
    .object({
      phase: z.string(),
      progress: z.number(),
      conditions: z
        .array(
          z.object({
            type: z.string(),
            status: z.enum(['True', 'False', 'Unknown']),
            reason: z.string(),
            message: z.string(),
            lastTransitionTime: z.string(),
            observedGeneration: z.number().optional(),
          }),
        )
        .readonly(),
    })
    .partial()
    .optional(),
});
export type Gadget = z.infer<typeof gadget>;

/** A custom kind with a status subresource, made for tests. */
export const gadgets: Kind<Gadget> = {
  apiVersion: 'test.tidemark.dev/v1',
  kind: 'Gadget',
  plural: 'gadgets',
  namespaced: true,
  parse: (raw) => gadget.parse(raw),
};

const text = { type: 'string' };

/** Its CRD, written by hand: the runtime must not depend on the product's API. */
export const gadgetCrd = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'gadgets.test.tidemark.dev' },
  spec: {
    group: 'test.tidemark.dev',
    names: { kind: 'Gadget', plural: 'gadgets', singular: 'gadget' },
    scope: 'Namespaced',
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', properties: { size: { type: 'integer', minimum: 0 } } },
              status: {
                type: 'object',
                properties: {
                  phase: text,
                  progress: { type: 'integer' },
                  conditions: {
                    type: 'array',
                    'x-kubernetes-list-type': 'map',
                    'x-kubernetes-list-map-keys': ['type'],
                    items: {
                      type: 'object',
                      required: ['type', 'status', 'reason', 'message', 'lastTransitionTime'],
                      properties: {
                        type: text,
                        status: text,
                        reason: text,
                        message: text,
                        lastTransitionTime: { type: 'string', format: 'date-time' },
                        observedGeneration: { type: 'integer' },
                      },
                    },
                  },
                },
              },
            },
          },
        },
      },
    ],
  },
};
