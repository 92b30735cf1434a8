import type { VMBackup } from '../../crds/vmbackup.ts';
import { keyOf } from '../../kube/kind.ts';
import { type Source, type Watched, watching } from '../../kube/source.ts';

/**
 * Wakes for every VMBackup, at the start those first that an earlier agent had begun: nobody watches over their guests until
 * they are taken up again, and they must not queue behind backups that have not begun.
 */
export function begunFirst(backups: Watched<VMBackup> & { list(): readonly VMBackup[] }): Source {
  const all = watching(backups);
  return {
    synced: all.synced,
    subscribe(enqueue) {
      for (const backup of backups.list()) if (hasBegun(backup)) enqueue(keyOf(backup.metadata));
      return all.subscribe(enqueue);
    },
  };
}

function hasBegun({ status }: VMBackup): boolean {
  const { plan, execution } = status ?? {};
  return plan !== undefined && execution?.attempt === plan.attempt && execution.completedAt === undefined;
}
