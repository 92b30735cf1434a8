import type { Lease } from '../crds/core.ts';
import { type Agent, readAgents, type Sighting } from '../domain/agent-report.ts';
import type { Cache } from '../kube/cache.ts';
import type { Clock } from '../kube/clock.ts';
import { keyOf } from '../kube/kind.ts';

/**
 * The agents as their Leases tell, each alive as long as we see its Lease move, by our own clock: the time in it is another
 * machine's, which may be wrong. A controller that has just started has seen none move yet; an agent renews within seconds.
 */
export function watchAgents(
  leases: Pick<Cache<Lease>, 'list' | 'onChange'>,
  clock: Pick<Clock, 'now'>,
): (now: number) => readonly Agent[] {
  const sightings = new Map<string, Sighting>();
  leases.onChange(({ key, old, new: lease }) => {
    if (lease === undefined) sightings.delete(key);
    else if (old === undefined) sightings.set(key, { at: clock.now(), moved: false });
    else if (old.spec?.renewTime !== lease.spec?.renewTime)
      sightings.set(key, { at: clock.now(), moved: true });
  });
  return (now) => readAgents(leases.list(), now, (lease) => sightings.get(keyOf(lease.metadata)));
}
