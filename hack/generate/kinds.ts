import type { z } from 'zod';
import type { KindOf } from '../../src/crds/api.ts';
import { VMBackup, vmBackups } from '../../src/crds/vmbackup.ts';
import { VMBackupListing, vmBackupListings } from '../../src/crds/vmbackuplisting.ts';
import { VMBackupRepository, vmBackupRepositories } from '../../src/crds/vmbackuprepository.ts';
import { VMBackupSchedule, vmBackupSchedules } from '../../src/crds/vmbackupschedule.ts';
import { VMRestore, vmRestores } from '../../src/crds/vmrestore.ts';

/** A column of `kubectl get`; `wide` ones show with `-o wide` only. */
export interface Column {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly wide?: true;
}

/** All that a CRD and its page in the reference say of a kind beyond its schema. */
export interface KindPage {
  readonly names: KindOf<unknown>;
  readonly schema: z.ZodType;
  readonly shortName: string;
  readonly description: string;
  /** Files under deploy/samples, shown in the reference and applied by a test. */
  readonly samples: readonly string[];
  readonly columns: readonly Column[];
  /** What `--field-selector` takes, besides name and namespace. */
  readonly selectableFields: readonly string[];
}

const AGE: Column = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' };
const READY: Column = { name: 'Ready', type: 'string', jsonPath: ready('status') };
const REASON: Column = { name: 'Reason', type: 'string', jsonPath: ready('reason') };
const MESSAGE: Column = { name: 'Message', type: 'string', jsonPath: ready('message'), wide: true };

function ready(member: string): string {
  return `.status.conditions[?(@.type=="Ready")].${member}`;
}

const backup: KindPage = {
  names: vmBackups,
  schema: VMBackup,
  shortName: 'tmb',
  description: 'One backup of one virtual machine: its spec is the wish, its status the record.',
  samples: ['backup-auto.yaml', 'backup-full.yaml'],
  selectableFields: ['.spec.vmName', '.status.plan.nodeName'],
  columns: [
    { name: 'VM', type: 'string', jsonPath: '.spec.vmName' },
    { name: 'Type', type: 'string', jsonPath: '.status.type' },
    { name: 'Why', type: 'string', jsonPath: '.status.typeReason' },
    { name: 'Pos', type: 'integer', jsonPath: '.status.chain.position' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Percent', type: 'integer', jsonPath: '.status.execution.progress.percent' },
    { name: 'Size', type: 'string', jsonPath: '.status.size' },
    { name: 'Seconds', type: 'integer', jsonPath: '.status.seconds' },
    AGE,
    { name: 'Node', type: 'string', jsonPath: '.status.plan.nodeName', wide: true },
    { name: 'Repository', type: 'string', jsonPath: '.spec.repository', wide: true },
    {
      name: 'Fallback',
      type: 'string',
      jsonPath: '.status.execution.incrementalFallback.reason',
      wide: true,
    },
    MESSAGE,
  ],
};

const schedule: KindPage = {
  names: vmBackupSchedules,
  schema: VMBackupSchedule,
  shortName: 'tmbs',
  description: 'Backs up a set of virtual machines again and again, by making VMBackups.',
  samples: ['schedule.yaml'],
  selectableFields: [],
  columns: [
    { name: 'Schedule', type: 'string', jsonPath: '.spec.schedule' },
    { name: 'Suspend', type: 'boolean', jsonPath: '.spec.suspend' },
    { name: 'VMs', type: 'integer', jsonPath: '.status.matchedVMs' },
    { name: 'Last', type: 'date', jsonPath: '.status.lastScheduleTime' },
    // A `date` column counts backwards from now, and prints a time to come as <invalid>.
    { name: 'Next', type: 'string', jsonPath: '.status.nextScheduleTime' },
    READY,
    AGE,
    { name: 'Time zone', type: 'string', jsonPath: '.spec.timeZone', wide: true },
    { name: 'Repository', type: 'string', jsonPath: '.spec.template.repository', wide: true },
    { name: 'Succeeded', type: 'date', jsonPath: '.status.lastSuccessfulTime', wide: true },
    { name: 'Missed', type: 'integer', jsonPath: '.status.missedRuns', wide: true },
    MESSAGE,
  ],
};

const restore: KindPage = {
  names: vmRestores,
  schema: VMRestore,
  shortName: 'tmr',
  description: 'One restore of one backup: to a new virtual machine, in place, or to claims alone.',
  samples: ['restore-new-vm.yaml', 'restore-in-place.yaml', 'restore-claims.yaml', 'restore-elsewhere.yaml'],
  selectableFields: [],
  columns: [
    { name: 'Backup', type: 'string', jsonPath: '.spec.source.backupName' },
    { name: 'VM', type: 'string', jsonPath: '.status.plan.vmName' },
    { name: 'Phase', type: 'string', jsonPath: '.status.phase' },
    { name: 'Size', type: 'string', jsonPath: '.status.size' },
    { name: 'Percent', type: 'integer', jsonPath: '.status.percent' },
    { name: 'Rate', type: 'string', jsonPath: '.status.rate' },
    { name: 'Seconds left', type: 'integer', jsonPath: '.status.secondsLeft' },
    REASON,
    AGE,
    { name: 'Path', type: 'string', jsonPath: '.status.plan.path', wide: true },
    MESSAGE,
  ],
};

const repository: KindPage = {
  names: vmBackupRepositories,
  schema: VMBackupRepository,
  shortName: 'tmrepo',
  description: 'Where backups live. It is cluster-scoped: it belongs to the administrator.',
  samples: ['repository-nfs.yaml', 'repository-local.yaml'],
  selectableFields: [],
  columns: [
    READY,
    REASON,
    { name: 'Free', type: 'string', jsonPath: '.status.free' },
    { name: 'Nodes', type: 'integer', jsonPath: '.status.readyNodes' },
    AGE,
    { name: 'Server', type: 'string', jsonPath: '.spec.nfs.server', wide: true },
    { name: 'Export', type: 'string', jsonPath: '.spec.nfs.path', wide: true },
    { name: 'Local', type: 'string', jsonPath: '.spec.local.path', wide: true },
    MESSAGE,
  ],
};

const listing: KindPage = {
  names: vmBackupListings,
  schema: VMBackupListing,
  shortName: 'tmbl',
  description:
    'A question: which backups has this namespace in a repository, with or without a VMBackup? Answered once, and removed an hour later.',
  samples: ['listing.yaml'],
  selectableFields: [],
  columns: [
    { name: 'Repository', type: 'string', jsonPath: '.spec.repository' },
    { name: 'VM', type: 'string', jsonPath: '.spec.vmName' },
    READY,
    REASON,
    { name: 'Backups', type: 'integer', jsonPath: '.status.count' },
    AGE,
    MESSAGE,
  ],
};

/** Every kind of the API, in the order of the reference. */
export const kinds: readonly KindPage[] = [repository, backup, schedule, restore, listing];
