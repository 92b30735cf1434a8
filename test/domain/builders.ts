import type { VirtualMachine, VirtualMachineInstance } from '../../src/crds/kubevirt.ts';
import type { Execution, Plan, VMBackup } from '../../src/crds/vmbackup.ts';
import type { VMBackupRepository } from '../../src/crds/vmbackuprepository.ts';
import type { VMBackupSchedule } from '../../src/crds/vmbackupschedule.ts';
import type { Agent } from '../../src/domain/agent-report.ts';
import type { World } from '../../src/domain/world.ts';

/** Lawful objects for tables; each test says only what it is about. */

export const NOW = Date.parse('2026-11-23T18:00:00Z');
export const VM_UID = 'aaaaaaaa-0000-4000-8000-000000000001';

export function ago(seconds: number): string {
  return new Date(NOW - seconds * 1000).toISOString().replace('.000Z', 'Z');
}

export interface BackupParts {
  readonly name?: string;
  readonly uid?: string;
  readonly createdAt?: string;
  readonly deletedAt?: string;
  readonly spec?: Partial<VMBackup['spec']>;
  readonly status?: VMBackup['status'];
}

export function backup({
  name = 'b',
  uid = `uid-of-${name}`,
  createdAt = ago(60),
  deletedAt,
  spec,
  status,
}: BackupParts = {}): VMBackup {
  return {
    metadata: { name, namespace: 'shop', uid, creationTimestamp: createdAt, deletionTimestamp: deletedAt },
    spec: {
      vmName: 'db',
      repository: 'nas',
      type: 'Auto',
      fullEvery: 10,
      quiesce: 'IfAvailable',
      backoffLimit: 3,
      startDeadlineSeconds: 3600,
      whenStopped: 'Skip',
      priority: 0,
      ...spec,
    },
    ...(status && { status }),
  };
}

export function plan(changes: Partial<Plan> = {}): Plan {
  return {
    attempt: 1,
    failedAttempts: 0,
    vmUid: VM_UID,
    nodeName: 'n1',
    type: 'Full',
    reason: 'NoEarlierBackup',
    message: 'The VM has no good backup in this repository yet.',
    chain: { id: 'uid-of-b', position: 0 },
    bitmap: 'backup-1000',
    path: 'c/shop/db-aaaaaaaa/b',
    disks: [
      {
        volume: 'root',
        type: 'Full',
        reason: 'NoEarlierBackup',
        claim: { name: 'db-root', uid: 'claim-root' },
      },
    ],
    ...changes,
  };
}

export function execution(changes: Partial<Execution> = {}): Execution {
  return {
    attempt: 1,
    agent: 'n1',
    startedAt: ago(30),
    completedAt: ago(20),
    bitmapCreated: 'backup-1000',
    disks: [{ volume: 'root', type: 'Full', reason: 'NoEarlierBackup', tracked: true, storedBytes: 1024 }],
    ...changes,
  };
}

/** A backup whose data is committed. */
export function goodBackup(
  name: string,
  parts: { plan?: Partial<Plan>; execution?: Partial<Execution> } & BackupParts = {},
): VMBackup {
  const uid = parts.uid ?? `uid-of-${name}`;
  return backup({
    ...parts,
    name,
    uid,
    status: {
      plan: plan({ chain: { id: uid, position: 0 }, path: `c/shop/db-aaaaaaaa/${name}`, ...parts.plan }),
      execution: execution(parts.execution),
    },
  });
}

export const failure = { reason: 'CopyFailed', message: 'The disk is full.', final: false };

export const virtualMachine: VirtualMachine = {
  metadata: { name: 'db', namespace: 'shop', uid: VM_UID },
  spec: {
    template: { spec: { volumes: [{ name: 'root', persistentVolumeClaim: { claimName: 'db-root' } }] } },
  },
};

export function instance(status: VirtualMachineInstance['status'] = {}): VirtualMachineInstance {
  return {
    metadata: { name: 'db', namespace: 'shop', uid: 'vmi' },
    spec: { volumes: [{ name: 'root', persistentVolumeClaim: { claimName: 'db-root' } }] },
    status: { phase: 'Running', nodeName: 'n1', ...status },
  };
}

export function repositorySpec(changes: Partial<VMBackupRepository['spec']>): VMBackupRepository['spec'] {
  const limits = { maintenance: false, maxConcurrentBackups: 10, lowSpacePercent: 10 };
  return { allowedNamespaces: ['shop'], ...limits, ...changes };
}

export function repository(ready: 'True' | 'False' = 'True'): VMBackupRepository {
  return {
    metadata: { name: 'nas', uid: 'repository' },
    spec: repositorySpec({ local: { path: '/srv' } }),
    status: {
      conditions: [
        {
          type: 'Ready',
          status: ready,
          reason: ready === 'True' ? 'Ready' : 'NotReachable',
          message: 'so.',
          lastTransitionTime: ago(60),
        },
      ],
    },
  };
}

export function agent(changes: Partial<Agent> = {}): Agent {
  return { nodeName: 'n1', seenAt: NOW - 1000, alive: true, repositories: {}, ...changes };
}

/** A world in which the backup may begin. */
export function world(changes: Partial<World> = {}): World {
  return {
    backup: backup(),
    vm: virtualMachine,
    vmi: instance(),
    claims: [{ metadata: { name: 'db-root', uid: 'claim-root' } }],
    repository: repository(),
    backups: [],
    agents: [agent()],
    contenders: [],
    clusterId: 'c',
    ...changes,
  };
}

/** Each hour; made at half past twelve. */
export function schedule(
  spec: Partial<VMBackupSchedule['spec']> = {},
  status?: VMBackupSchedule['status'],
): VMBackupSchedule {
  return {
    metadata: {
      name: 'hourly',
      namespace: 'shop',
      uid: 's',
      generation: 1,
      creationTimestamp: '2026-11-23T12:30:00Z',
    },
    spec: {
      schedule: '0 * * * *',
      timeZone: 'UTC',
      suspend: false,
      immediate: false,
      concurrencyPolicy: 'Forbid',
      startingDeadlineSeconds: 600,
      spreadSeconds: 0,
      failedBackupsHistoryLimit: 3,
      vmNames: ['db', 'web'],
      template: {
        repository: 'nas',
        fullEvery: 10,
        quiesce: 'IfAvailable',
        backoffLimit: 3,
        startDeadlineSeconds: 3600,
        whenStopped: 'Skip',
        priority: 0,
      },
      ...spec,
    },
    ...(status && { status }),
  };
}
