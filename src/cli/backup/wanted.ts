import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import type { VMBackupSchedule } from '../../crds/vmbackupschedule.ts';
import { chooseVms } from '../../domain/selector.ts';
import { fitName } from '../../domain/short-hash.ts';
import { UsageError } from '../exit-code.ts';

/** What tells into which repository a backup by hand goes. */
export interface Places {
  readonly vm: string;
  readonly namespace: string;
  readonly schedules: readonly VMBackupSchedule[];
  /** Those that the user may see. */
  readonly repositories: readonly VMBackupRepository[];
}

/**
 * The repository that a backup by hand goes to when none is named: the one that the VM's schedules use, or else the only one
 * that takes backups of this namespace.
 * @throws UsageError that lists the candidates
 */
export function chooseRepository({ vm, namespace, schedules, repositories }: Places): string {
  const vms = [{ metadata: { name: vm } }];
  const scheduled = schedules
    .filter(({ spec }) => chooseVms(spec, vms).found.includes(vm))
    .map(({ spec }) => spec.template.repository);
  const open = repositories
    .filter(({ spec }) => spec.allowedNamespaces.some((it) => it === '*' || it === namespace))
    .map(({ metadata }) => metadata.name);
  for (const candidates of [scheduled, open]) {
    const names = [...new Set(candidates)].sort();
    if (names.length === 1 && names[0] !== undefined) return names[0];
    if (names.length > 1) throw new UsageError(`name one with --repository: ${names.join(', ')}`);
  }
  throw new UsageError(
    `no repository is known that takes backups of namespace '${namespace}': name one with --repository`,
  );
}

/** The name of a backup by hand: the VM, and the second in UTC. */
export function nameByHand(vm: string, now: Date): string {
  const stamp = now.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-');
  return `${fitName(vm, 40)}-${stamp}`;
}
