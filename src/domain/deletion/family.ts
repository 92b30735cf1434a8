import type { VMBackup } from '../../crds/vmbackup.ts';
import { vmDirectoryOf } from '../names.ts';
import { parentsOf } from '../retention/points.ts';
import { isUnderWay, standingOf } from '../standing.ts';

/** The directory of a backup in the repository; undefined if it never got one. */
export function pathOf({ status }: VMBackup): string | undefined {
  return status?.plan?.path;
}

/** Whether a backup has data, or may have it soon. */
export function mayHoldData(backup: VMBackup): boolean {
  const standing = standingOf(backup);
  return standing.kind === 'Succeeded' || isUnderWay(standing);
}

/** The backups whose images stand on this one, directly or through others, in the order of a walk away from it. */
export function descendantsOf(backup: VMBackup, siblings: readonly VMBackup[]): readonly VMBackup[] {
  const found: VMBackup[] = [];
  const waiting = [pathOf(backup)];
  for (const path of waiting) {
    if (path === undefined) continue;
    for (const sibling of siblings) {
      if (found.includes(sibling) || sibling.metadata.uid === backup.metadata.uid) continue;
      if (sibling.spec.repository !== backup.spec.repository || !mayHoldData(sibling)) continue;
      if (!parentsOf(sibling).includes(path)) continue;
      found.push(sibling);
      waiting.push(pathOf(sibling));
    }
  }
  return found;
}

/** All other backups of the chain that a backup belongs to, and whatever stands on those. */
export function chainOf(backup: VMBackup, siblings: readonly VMBackup[]): readonly VMBackup[] {
  const directory = vmDirectoryOf(pathOf(backup) ?? '');
  const { chain } = backup.status ?? {};
  const members = siblings.filter(
    (sibling) =>
      sibling.metadata.uid !== backup.metadata.uid &&
      sibling.spec.repository === backup.spec.repository &&
      chain !== undefined &&
      sibling.status?.chain?.id === chain.id &&
      vmDirectoryOf(pathOf(sibling) ?? '') === directory &&
      mayHoldData(sibling),
  );
  const beyond = [backup, ...members].flatMap((member) => descendantsOf(member, siblings));
  return [...new Set([...members, ...beyond])].filter(({ metadata }) => metadata.uid !== backup.metadata.uid);
}
