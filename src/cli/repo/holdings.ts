import type { VMBackup } from '../../crds/vmbackup.ts';
import { storedBytes } from '../../domain/columns.ts';
import { standingOf } from '../../domain/standing.ts';

/** What one VM has in a repository, by the VMBackups that tell of it. Times are RFC 3339. */
export interface Holding {
  readonly namespace: string;
  readonly vm: string;
  readonly backups: number;
  /** Of those, how many were found in the repository and not taken here. */
  readonly imported: number;
  readonly storedBytes: number;
  readonly newest: string;
}

/** What each VM has in a repository, by namespace and name. */
export function holdingsOf(repository: string, backups: readonly VMBackup[]): readonly Holding[] {
  const good = backups.flatMap((backup) => {
    const standing = standingOf(backup);
    if (backup.spec.repository !== repository || standing.kind !== 'Succeeded') return [];
    const { execution } = standing;
    const bytes = storedBytes(execution) ?? 0;
    return [{ backup, bytes, at: execution.pointInTime ?? execution.startedAt }];
  });
  const ofVm = Map.groupBy(good, ({ backup }) => `${backup.metadata.namespace}/${backup.spec.vmName}`);
  return [...ofVm]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, points]) => {
      const [namespace = '', vm = ''] = name.split('/');
      return {
        namespace,
        vm,
        backups: points.length,
        imported: points.filter(({ backup }) => backup.spec.imported !== undefined).length,
        storedBytes: points.reduce((sum, { bytes }) => sum + bytes, 0),
        newest: points.map(({ at }) => at).reduce((a, b) => (Date.parse(a) > Date.parse(b) ? a : b)),
      };
    });
}
