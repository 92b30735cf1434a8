import type { LeaseSpec } from '../lease.ts';

/** The lease as the server had it, and since when it has stood like that, by our own clock. */
export interface SeenLease {
  readonly resourceVersion: string;
  readonly spec: LeaseSpec | undefined;
  /** Rising milliseconds of our own: the clocks of other machines are not asked. */
  readonly unchangedSince: number;
}

/** What a candidate does next. */
export type Step =
  /** Nobody made the lease yet. */
  | { readonly kind: 'Create' }
  /** Ours to take: nobody holds it, or whoever does has not renewed it for as long as it asked for. */
  | { readonly kind: 'Take'; readonly reason: 'Released' | 'Expired' | 'OursAlready' }
  /** Another one leads. */
  | { readonly kind: 'Wait'; readonly holder: string };

/**
 * Decides for a candidate; the first that holds wins. A lease counts as expired only when we ourselves have seen it stand
 * still for its whole duration: its `renewTime` is another machine's clock, which may be wrong.
 */
export function nextStep(lease: SeenLease | undefined, identity: string, now: number): Step {
  if (lease === undefined) return { kind: 'Create' };
  const { holderIdentity: holder = '', leaseDurationSeconds = 0 } = lease.spec ?? {};
  if (holder === '') return { kind: 'Take', reason: 'Released' };
  if (holder === identity) return { kind: 'Take', reason: 'OursAlready' };
  if (now - lease.unchangedSince >= leaseDurationSeconds * 1000) return { kind: 'Take', reason: 'Expired' };
  return { kind: 'Wait', holder };
}

/** The lease as it is now, with the time since when it has been so. */
export function seeLease(
  before: SeenLease | undefined,
  found: { readonly resourceVersion: string; readonly spec: LeaseSpec | undefined },
  now: number,
): SeenLease {
  const same = before?.resourceVersion === found.resourceVersion;
  return { ...found, unchangedSince: same ? before.unchangedSince : now };
}
