import type { Execution } from '../crds/vmbackup.ts';
import type { InspectResult } from './mover-report.ts';
import { vmDirectoryOf } from './names.ts';

/**
 * What is said of data that an earlier attempt had committed: what its manifest says, whatever is planned by now.
 * @param isTracked whether a volume's bitmap is the base of the next incremental
 */
export function committedBefore(
  path: string,
  { backup, volumes }: InspectResult,
  isTracked: (volume: string) => boolean,
): Pick<Execution, 'chain' | 'disks' | 'pointInTime'> {
  return {
    ...(backup && {
      pointInTime: backup.createdAt,
      chain: { id: backup.chainId, position: backup.chainPosition },
    }),
    disks: volumes.map(({ name, type, parentId }) => ({
      ...{ volume: name, type, reason: 'CommittedBefore', tracked: isTracked(name) },
      ...(parentId !== null && { parentPath: `${vmDirectoryOf(path)}/${parentId}` }),
    })),
  };
}
