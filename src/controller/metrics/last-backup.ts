import type { Execution, VMBackup } from '../../crds/vmbackup.ts';
import { outcomeOf } from '../../domain/outcome.ts';
import { standingOf } from '../../domain/standing.ts';
import type { Family, Row } from '../../kube/metrics/family.ts';
import type { Caches } from '../caches.ts';
import { pointInTimeSeconds } from './protection.ts';

const labelNames = ['namespace', 'vm', 'repository'];

interface Good {
  readonly labels: { readonly namespace: string; readonly vm: string; readonly repository: string };
  readonly at: number;
  readonly backup: VMBackup;
  readonly execution: Execution;
  readonly position: number;
}

/** What the newest good backup of each VM was like. */
export function lastBackupFamilies({ backups }: Caches): readonly Family[] {
  const each = (value: (good: Good) => number | undefined) => (): readonly Row[] =>
    newestGoods(backups.list()).flatMap((good) => {
      const found = value(good);
      return found === undefined ? [] : [{ labels: good.labels, value: found }];
    });
  return [
    {
      name: 'tidemark_vm_last_backup_bytes',
      help: 'Bytes of the newest good backup of a VM, by kind: see tidemark_backup_bytes_total.',
      labelNames: [...labelNames, 'kind'],
      rows: () =>
        newestGoods(backups.list()).flatMap(({ labels, execution }) =>
          Object.entries(bytesOf(execution)).map(([kind, value]) => ({ labels: { ...labels, kind }, value })),
        ),
    },
    {
      name: 'tidemark_vm_last_backup_duration_seconds',
      help: 'How long the newest good backup of a VM took, from start to commit.',
      labelNames,
      rows: each(({ execution }) => secondsOf(execution)),
    },
    {
      name: 'tidemark_vm_last_backup_frozen_seconds',
      help: 'How long the guest was frozen for its newest good backup; none if it was not.',
      labelNames,
      rows: each(({ execution }) => frozenSeconds(execution)),
    },
    {
      name: 'tidemark_vm_chain_length',
      help: 'How many backups the newest one of a VM stands on, itself included; 1 = a full.',
      labelNames,
      rows: each(({ position }) => position + 1),
    },
  ];
}

/** Bytes by what they are: `size` of the disks, `data` read and kept, `zero` recorded as zero, `stored` sent and written. */
export function bytesOf({
  disks = [],
}: Execution): Readonly<Record<'size' | 'data' | 'zero' | 'stored', number>> {
  const sum = (bytes: (disk: (typeof disks)[number]) => number | undefined): number =>
    disks.reduce((total, disk) => total + (bytes(disk) ?? 0), 0);
  return {
    size: sum(({ sizeBytes }) => sizeBytes),
    data: sum(({ dataBytes }) => dataBytes),
    zero: sum(({ zeroBytes }) => zeroBytes),
    stored: sum(({ storedBytes }) => storedBytes),
  };
}

export function secondsOf({ startedAt, completedAt }: Execution): number | undefined {
  return completedAt === undefined ? undefined : (Date.parse(completedAt) - Date.parse(startedAt)) / 1000;
}

export function frozenSeconds({ quiesce }: Execution): number | undefined {
  const { frozenMilliseconds } = quiesce ?? {};
  return frozenMilliseconds === undefined ? undefined : frozenMilliseconds / 1000;
}

/** Of each VM and repository the newest good backup. */
function newestGoods(backups: readonly VMBackup[]): readonly Good[] {
  const newest = new Map<string, Good>();
  for (const backup of backups) {
    const at = pointInTimeSeconds(backup);
    const standing = standingOf(backup);
    if (at === undefined || standing.kind !== 'Succeeded') continue;
    const labels = {
      namespace: backup.metadata.namespace ?? '',
      vm: backup.spec.vmName,
      repository: backup.spec.repository,
    };
    const key = Object.values(labels).join('/');
    if ((newest.get(key)?.at ?? -1) >= at) continue;
    const { chain } = outcomeOf(standing.plan, standing.execution, backup.metadata.uid);
    newest.set(key, { labels, at, backup, execution: standing.execution, position: chain.position });
  }
  return [...newest.values()];
}
