import type { VMBackup } from '../../crds/vmbackup.ts';
import { readAgents } from '../../domain/agent-report.ts';
import { claimNameOf } from '../../domain/volumes.ts';
import { volumesOf, type World } from '../../domain/world.ts';
import { type Caches, within } from '../caches.ts';

/** Gathers what the decision on one backup looks at. `now` in milliseconds since the epoch. */
export function observeBackup(caches: Caches, clusterId: string, backup: VMBackup, now: number): World {
  const { namespace } = backup.metadata;
  const named = { namespace, name: backup.spec.vmName };
  const vm = caches.vms.get(named);
  const vmi = caches.vmis.get(named);
  const claims = volumesOf({ vm, vmi })
    .map(claimNameOf)
    .flatMap((name) => (name === undefined ? [] : [caches.claims.get({ namespace, name })]))
    .filter((claim) => claim !== undefined);
  return {
    backup,
    vm,
    vmi,
    claims,
    repository: caches.repositories.get({ name: backup.spec.repository }),
    backups: caches.views.backupsOfVm(within(namespace, backup.spec.vmName)),
    agents: readAgents(caches.agentLeases.list(), now),
    clusterId,
  };
}
