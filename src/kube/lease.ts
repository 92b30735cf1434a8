import { z } from 'zod';
import type { Kube } from './client.ts';
import { type Kind, objectMeta } from './kind.ts';

const lease = z.object({
  metadata: objectMeta,
  spec: z
    .object({
      holderIdentity: z.string().optional(),
      leaseDurationSeconds: z.number().optional(),
      acquireTime: z.string().optional(),
      renewTime: z.string().optional(),
      leaseTransitions: z.number().optional(),
    })
    .optional(),
});
export type LeaseObject = z.infer<typeof lease>;
export type LeaseSpec = NonNullable<LeaseObject['spec']>;

/** coordination.k8s.io Lease. */
export const leases: Kind<LeaseObject> = {
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  plural: 'leases',
  namespaced: true,
  parse: (raw) => lease.parse(raw),
};

export interface Heartbeat {
  readonly namespace: string;
  readonly name: string;
  readonly holder: string;
  /** Who owns the fields; at most 128 characters. */
  readonly fieldManager: string;
  /** After so many seconds without renewal the holder counts as gone. */
  readonly durationSeconds: number;
  readonly labels?: Readonly<Record<string, string>>;
  /** What the holder has to say; those it leaves out are removed. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** Renews a coordination.k8s.io Lease, or makes it: a heartbeat, with room for annotations. */
export async function renewLease(kube: Kube, beat: Heartbeat, now: Date, signal: AbortSignal): Promise<void> {
  const { namespace, name, holder, labels = {}, annotations } = beat;
  const spec = {
    holderIdentity: holder,
    leaseDurationSeconds: beat.durationSeconds,
    renewTime: microTime(now),
  };
  const options = { fieldManager: beat.fieldManager, force: true };
  await kube.apply(leases, { metadata: { namespace, name, labels, annotations }, spec }, options, signal);
}

/** Whether the holder still renews. */
export function isAlive(
  spec: Pick<LeaseSpec, 'renewTime' | 'leaseDurationSeconds'> | undefined,
  now: Date,
): boolean {
  const { renewTime, leaseDurationSeconds } = spec ?? {};
  if (renewTime === undefined || leaseDurationSeconds === undefined) return false;
  return now.getTime() < Date.parse(renewTime) + leaseDurationSeconds * 1000;
}

/** A `metav1.MicroTime`. */
export function microTime(at: Date): string {
  return at.toISOString().replace('Z', '000Z');
}
