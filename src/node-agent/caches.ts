import type { Logger } from 'pino';
import { type Pod, pods } from '../crds/core.ts';
import { type VirtualMachineInstance, virtualMachineInstances } from '../crds/kubevirt.ts';
import { type VMBackup, vmBackups } from '../crds/vmbackup.ts';
import { type VMBackupRepository, vmBackupRepositories } from '../crds/vmbackuprepository.ts';
import { type Cache, startCache } from '../kube/cache.ts';
import type { Kube } from '../kube/client.ts';

/** What the agent watches: its own backups, and the launcher pods of its own node. */
export interface Caches {
  readonly backups: Cache<VMBackup>;
  readonly repositories: Cache<VMBackupRepository>;
  readonly vmis: Cache<VirtualMachineInstance>;
  readonly launchers: Cache<Pod>;
}

/** Starts to watch, until the signal aborts. An agent never watches another node's backups or pods. */
export function startCaches(kube: Kube, nodeName: string, log: Logger, signal: AbortSignal): Caches {
  return {
    backups: startCache(
      { kube, log, kind: vmBackups, selection: { fieldSelector: `status.plan.nodeName=${nodeName}` } },
      signal,
    ),
    repositories: startCache({ kube, log, kind: vmBackupRepositories }, signal),
    vmis: startCache({ kube, log, kind: virtualMachineInstances }, signal),
    launchers: startCache(
      {
        kube,
        log,
        kind: pods,
        selection: { labelSelector: 'kubevirt.io=virt-launcher', fieldSelector: `spec.nodeName=${nodeName}` },
      },
      signal,
    ),
  };
}

/** A VM that is on its way to another node, or wants to be. */
export function migrationWanted(vmi: VirtualMachineInstance | undefined): boolean {
  const { evacuationNodeName, migrationState } = vmi?.status ?? {};
  const migrating =
    migrationState !== undefined && migrationState.completed !== true && migrationState.failed !== true;
  return migrating || (evacuationNodeName !== undefined && evacuationNodeName !== '');
}
