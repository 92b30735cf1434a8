import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { conditionOf } from '../../kube/conditions.ts';
import type { Family, Row } from '../../kube/metrics/family.ts';
import type { Caches } from '../caches.ts';

/** How the repositories are, and whether the node agents live. */
export function repositoryFamilies(caches: Caches, now: () => number): readonly Family[] {
  const { repositories } = caches;
  const each = (value: (repository: VMBackupRepository) => number | undefined) => (): readonly Row[] =>
    repositories.list().flatMap((repository) => {
      const found = value(repository);
      return found === undefined ? [] : [{ labels: { repository: repository.metadata.name }, value: found }];
    });
  const labelNames = ['repository'];
  return [
    {
      name: 'tidemark_repository_ready',
      help: '1 if at least one node can write to the repository, else 0.',
      labelNames,
      rows: each(({ status }) => (conditionOf(status?.conditions, 'Ready')?.status === 'True' ? 1 : 0)),
    },
    {
      name: 'tidemark_repository_nodes',
      help: 'Nodes whose agent looked at the repository.',
      labelNames,
      rows: each(({ status }) => status?.nodes),
    },
    {
      name: 'tidemark_repository_ready_nodes',
      help: 'Nodes whose agent could write to the repository at its last look.',
      labelNames,
      rows: each(({ status }) => status?.readyNodes),
    },
    {
      name: 'tidemark_repository_free_bytes',
      help: 'Free space in the repository.',
      labelNames,
      rows: each(({ status }) => status?.freeBytes),
    },
    {
      name: 'tidemark_repository_capacity_bytes',
      help: "Size of the repository's file system.",
      labelNames,
      rows: each(({ status }) => status?.capacityBytes),
    },
    {
      name: 'tidemark_repository_damaged_backups',
      help: 'Backups whose data is known to be not what was written.',
      labelNames,
      rows: each(({ status }) => status?.scrub?.damagedCount),
    },
    {
      name: 'tidemark_repository_last_scrub_timestamp_seconds',
      help: 'When the verification of all data last came to its end.',
      labelNames,
      rows: each(({ status }) => secondsOf(status?.scrub?.lastFullPassAt)),
    },
    {
      name: 'tidemark_repository_objects_without_data',
      help: 'VMBackups that succeeded, and whose data the catalogue did not find.',
      labelNames,
      rows: each(({ status }) => status?.catalogue?.objectsWithoutData),
    },
    {
      name: 'tidemark_repository_upkeep_failures',
      help: 'How many Jobs that sweep, catalogue or verify failed in a row.',
      labelNames,
      rows: each(({ status }) => status?.upkeep?.failures),
    },
    {
      name: 'tidemark_agent_up',
      help: '1 while the node agent renews its Lease; 0 if it does not, or if VMs run on a node that never had one.',
      labelNames: ['node'],
      rows: () => agentRows(caches, now()),
    },
  ];
}

function agentRows({ views, vmis }: Caches, now: number): readonly Row[] {
  const up = new Map<string, number>();
  for (const { status } of vmis.list()) if (status?.nodeName) up.set(status.nodeName, 0);
  for (const { nodeName, alive } of views.agents(now)) up.set(nodeName, alive ? 1 : 0);
  return [...up].map(([node, value]) => ({ labels: { node }, value }));
}

function secondsOf(time: string | undefined): number | undefined {
  return time === undefined ? undefined : Date.parse(time) / 1000;
}
