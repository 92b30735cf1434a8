import type { Logger } from 'pino';
import {
  type Job,
  jobs,
  type Lease,
  leases,
  type PersistentVolumeClaim,
  type Pod,
  persistentVolumeClaims,
  pods,
} from '../crds/core.ts';
import {
  type VirtualMachine,
  type VirtualMachineInstance,
  virtualMachineInstances,
  virtualMachines,
} from '../crds/kubevirt.ts';
import { type VMBackup, vmBackups } from '../crds/vmbackup.ts';
import { type VMBackupListing, vmBackupListings } from '../crds/vmbackuplisting.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../crds/vmbackuprepository.ts';
import { type VMBackupSchedule, vmBackupSchedules } from '../crds/vmbackupschedule.ts';
import { type VMRestore, vmRestores } from '../crds/vmrestore.ts';
import { AGENT_LABEL, AGENT_LABEL_VALUE, type Agent } from '../domain/agent-report.ts';
import { MOVER_LABELS } from '../domain/job/mover-pod.ts';
import { SCHEDULE_LABEL } from '../domain/labels.ts';
import { isOver, standingOf } from '../domain/standing.ts';
import { type Cache, type CacheHealth, startCache } from '../kube/cache.ts';
import type { Kube } from '../kube/client.ts';
import { systemClock } from '../kube/clock.ts';
import type { Kind, KubeObject } from '../kube/kind.ts';
import { watchAgents } from './sightings.ts';

/** All that the controller looks at. */
export interface Caches {
  readonly backups: Cache<VMBackup>;
  readonly schedules: Cache<VMBackupSchedule>;
  readonly repositories: Cache<VMBackupRepository>;
  readonly restores: Cache<VMRestore>;
  readonly listings: Cache<VMBackupListing>;
  readonly vms: Cache<VirtualMachine>;
  readonly vmis: Cache<VirtualMachineInstance>;
  readonly claims: Cache<PersistentVolumeClaim>;
  readonly agentLeases: Cache<Lease>;
  /** The Jobs that we made, and their pods. */
  readonly jobs: Cache<Job>;
  readonly jobPods: Cache<Pod>;
  readonly views: Views;
}

/** Objects by what they speak of. */
export interface Views {
  /** All backups of a VM; see {@link within}. */
  readonly backupsOfVm: (vm: string) => readonly VMBackup[];
  /** Backups of a VM that are not over. */
  readonly openBackupsOfVm: (vm: string) => readonly VMBackup[];
  /** Backups into a repository, by its name, that are not over. */
  readonly openBackupsInto: (repository: string) => readonly VMBackup[];
  /** Backups that a schedule made; within a namespace, by the value of their label. */
  readonly backupsOfSchedule: (label: string) => readonly VMBackup[];
  readonly claimsIn: (namespace: string) => readonly PersistentVolumeClaim[];
  readonly vmsIn: (namespace: string) => readonly VirtualMachine[];
  readonly schedulesIn: (namespace: string) => readonly VMBackupSchedule[];
  /** The node agents, and who of them lives. `now` in milliseconds since the epoch. */
  readonly agents: (now: number) => readonly Agent[];
}

/** The key of something within a namespace. */
export function within(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

/** Starts to watch everything; ends when the signal aborts. */
export function startCaches(kube: Kube, namespace: string, log: Logger, signal: AbortSignal): Caches {
  const start = <T extends KubeObject>(kind: Kind<T>): Cache<T> => startCache({ kube, kind, log }, signal);
  const agents = { namespace, labelSelector: `${AGENT_LABEL}=${AGENT_LABEL_VALUE}` };
  const ours = {
    labelSelector: Object.entries(MOVER_LABELS)
      .map(([label, value]) => `${label}=${value}`)
      .join(','),
  };
  const [backups, schedules, vms] = [start(vmBackups), start(vmBackupSchedules), start(virtualMachines)];
  const claims = start(persistentVolumeClaims);
  const agentLeases = startCache({ kube, kind: leases, selection: agents, log }, signal);
  return {
    backups,
    schedules,
    vms,
    repositories: start(vmBackupRepositories),
    restores: start(vmRestores),
    listings: start(vmBackupListings),
    vmis: start(virtualMachineInstances),
    claims,
    agentLeases,
    jobs: startCache({ kube, kind: jobs, selection: ours, log }, signal),
    jobPods: startCache({ kube, kind: pods, selection: ours, log }, signal),
    views: { ...viewsOf(backups, schedules, vms, claims), agents: watchAgents(agentLeases, systemClock) },
  };
}

/** How each cache fares, by name. */
export function healthOf(caches: Caches): Readonly<Record<string, () => CacheHealth>> {
  return {
    backups: () => caches.backups.health(),
    schedules: () => caches.schedules.health(),
    repositories: () => caches.repositories.health(),
    restores: () => caches.restores.health(),
    listings: () => caches.listings.health(),
    vms: () => caches.vms.health(),
    vmis: () => caches.vmis.health(),
    claims: () => caches.claims.health(),
    agentLeases: () => caches.agentLeases.health(),
    jobs: () => caches.jobs.health(),
    jobPods: () => caches.jobPods.health(),
  };
}

function vmOf({ metadata, spec }: VMBackup): string {
  return within(metadata.namespace, spec.vmName);
}

function isOpen(backup: VMBackup): boolean {
  return !isOver(standingOf(backup));
}

function viewsOf(
  backups: Cache<VMBackup>,
  schedules: Cache<VMBackupSchedule>,
  vms: Cache<VirtualMachine>,
  claims: Cache<PersistentVolumeClaim>,
): Omit<Views, 'agents'> {
  return {
    backupsOfVm: backups.indexBy((backup) => [vmOf(backup)]),
    openBackupsOfVm: backups.indexBy((backup) => (isOpen(backup) ? [vmOf(backup)] : [])),
    openBackupsInto: backups.indexBy((backup) => (isOpen(backup) ? [backup.spec.repository] : [])),
    backupsOfSchedule: backups.indexBy(({ metadata }) => {
      const label = metadata.labels?.[SCHEDULE_LABEL];
      return label === undefined ? [] : [within(metadata.namespace, label)];
    }),
    claimsIn: claims.indexBy(({ metadata }) => [metadata.namespace ?? '']),
    vmsIn: vms.indexBy(({ metadata }) => [metadata.namespace ?? '']),
    schedulesIn: schedules.indexBy(({ metadata }) => [metadata.namespace ?? '']),
  };
}
