import { z } from 'zod';
import { kindOf, ObjectMeta } from './api.ts';

/** The conditions of an object that is not ours. */
const CoreConditions = z.array(
  z.object({
    type: z.string(),
    status: z.string(),
    reason: z.string().optional(),
    message: z.string().optional(),
  }),
);

const ContainerState = z.object({
  waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  running: z.object({ startedAt: z.string().optional() }).optional(),
  terminated: z
    .object({ exitCode: z.int(), reason: z.string().optional(), message: z.string().optional() })
    .optional(),
});

export const Pod = z.object({
  metadata: ObjectMeta,
  spec: z.object({ nodeName: z.string().optional() }).optional(),
  status: z
    .object({
      phase: z.string().optional(),
      reason: z.string().optional(),
      message: z.string().optional(),
      conditions: CoreConditions.optional(),
      containerStatuses: z.array(z.object({ name: z.string(), state: ContainerState.optional() })).optional(),
    })
    .optional(),
});
export type Pod = z.infer<typeof Pod>;

export const pods = kindOf({ apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }, Pod);

export const Job = z.object({
  metadata: ObjectMeta,
  status: z
    .object({
      active: z.int().optional(),
      failed: z.int().optional(),
      conditions: CoreConditions.optional(),
    })
    .optional(),
});
export type Job = z.infer<typeof Job>;

export const jobs = kindOf({ apiVersion: 'batch/v1', kind: 'Job', plural: 'jobs', namespaced: true }, Job);

/** What a cluster's own parts tell of an object. */
export const Event = z.object({
  metadata: ObjectMeta,
  reason: z.string().optional(),
  message: z.string().optional(),
  lastTimestamp: z.string().nullish(),
  eventTime: z.string().nullish(),
});
export type Event = z.infer<typeof Event>;

export const events = kindOf({ apiVersion: 'v1', kind: 'Event', plural: 'events', namespaced: true }, Event);

export const PersistentVolumeClaim = z.object({
  metadata: ObjectMeta,
  spec: z.object({ volumeMode: z.string().optional() }).optional(),
  status: z.object({ phase: z.string().optional() }).optional(),
});
export type PersistentVolumeClaim = z.infer<typeof PersistentVolumeClaim>;

export const persistentVolumeClaims = kindOf(
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', namespaced: true },
  PersistentVolumeClaim,
);

/** Its values are base64. */
export const Secret = z.object({
  metadata: ObjectMeta,
  data: z.record(z.string(), z.string()).optional(),
});
export type Secret = z.infer<typeof Secret>;

export const secrets = kindOf(
  { apiVersion: 'v1', kind: 'Secret', plural: 'secrets', namespaced: true },
  Secret,
);

export const Namespace = z.object({ metadata: ObjectMeta });
export type Namespace = z.infer<typeof Namespace>;

export const namespaces = kindOf(
  { apiVersion: 'v1', kind: 'Namespace', plural: 'namespaces', namespaced: false },
  Namespace,
);

export const Lease = z.object({
  metadata: ObjectMeta,
  spec: z
    .object({
      holderIdentity: z.string().optional(),
      renewTime: z.string().optional(),
      leaseDurationSeconds: z.int().optional(),
    })
    .optional(),
});
export type Lease = z.infer<typeof Lease>;

export const leases = kindOf(
  { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', plural: 'leases', namespaced: true },
  Lease,
);
