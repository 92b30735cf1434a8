import { z } from 'zod';
import { kindOf, ObjectMeta } from './api.ts';

export const Pod = z.object({
  metadata: ObjectMeta,
  spec: z.object({ nodeName: z.string().optional() }).optional(),
  status: z.object({ phase: z.string().optional() }).optional(),
});
export type Pod = z.infer<typeof Pod>;

export const pods = kindOf({ apiVersion: 'v1', kind: 'Pod', plural: 'pods', namespaced: true }, Pod);

export const PersistentVolumeClaim = z.object({ metadata: ObjectMeta });
export type PersistentVolumeClaim = z.infer<typeof PersistentVolumeClaim>;

export const persistentVolumeClaims = kindOf(
  { apiVersion: 'v1', kind: 'PersistentVolumeClaim', plural: 'persistentvolumeclaims', namespaced: true },
  PersistentVolumeClaim,
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
