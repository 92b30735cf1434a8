import type { VMBackup } from '../../crds/vmbackup.ts';
import { type Contender, contenderOf } from '../../domain/admission/contender.ts';
import type { Agent } from '../../domain/agent-report.ts';
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
  const agents = caches.views.agents(now);
  return {
    backup,
    vm,
    vmi,
    claims,
    repository: caches.repositories.get({ name: backup.spec.repository }),
    backups: caches.views.backupsOfVm(within(namespace, backup.spec.vmName)),
    agents,
    contenders: observeContenders(caches, agents, backup.metadata.uid),
    clusterId,
  };
}

/** Everyone who runs or waits for a turn, and the backup that asks for it now. */
export function observeContenders(
  caches: Caches,
  agents: readonly Agent[],
  askingUid?: string,
): readonly Contender[] {
  const agentOn = new Map(agents.map((agent) => [agent.nodeName, agent]));
  return caches.repositories.list().flatMap((repository) =>
    caches.views.openBackupsInto(repository.metadata.name).flatMap((backup) => {
      const { metadata, spec } = backup;
      const vmi = caches.vmis.get({ namespace: metadata.namespace, name: spec.vmName });
      const surroundings = { repository, vmi, agentOn: (node: string) => agentOn.get(node) };
      return contenderOf(backup, surroundings, metadata.uid === askingUid) ?? [];
    }),
  );
}
