import type { DamagedBackup } from '../../crds/upkeep.ts';
import type { VMBackup } from '../../crds/vmbackup.ts';
import type { ListedBackup } from '../../crds/vmbackuplisting.ts';
import { vmDirectoryOf } from '../names.ts';
import type { BriefBackup } from '../upkeep/brief.ts';
import { isObjectOf, type KnownBackup } from '../upkeep/imported.ts';

/** What is known of the backups in a repository beside what lies there. */
export interface Knowledge {
  /** The VMBackups that may be named. */
  readonly objects: readonly VMBackup[];
  readonly damaged: readonly DamagedBackup[];
}

/** The backups of a listing, beside what the cluster knows of them. */
export function listed(entries: readonly BriefBackup[], knowledge: Knowledge): readonly ListedBackup[] {
  const byUid = Map.groupBy(knowledge.objects, ({ metadata, spec }) => spec.imported?.uid ?? metadata.uid);
  return entries.map((entry) => {
    if (!isKnown(entry)) {
      const { path, reason, message } = entry;
      return { path, damage: { reason: reason ?? 'ManifestUnreadable', message: message ?? '' } };
    }
    const { path, backup } = entry;
    const object = byUid.get(backup.uid)?.find((each) => isObjectOf(each, entry));
    const damage = damageOf(entry, knowledge.damaged);
    return {
      path,
      vmName: backup.vm.name.slice(0, 63),
      ...timeOf(backup.createdAt),
      type: backup.type,
      chain: { id: backup.chain.id.slice(0, 64), position: backup.chain.position },
      storedBytes: backup.storedBytes,
      ...(object && { backupName: object.metadata.name }),
      ...(object?.spec.imported && { imported: true }),
      ...(damage && { damage }),
    };
  });
}

function isKnown(entry: BriefBackup): entry is KnownBackup {
  return entry.backup !== null;
}

/** What a manifest says may be anything, and the API server takes a time and nothing else. */
function timeOf(text: string): Pick<ListedBackup, 'createdAt'> {
  const time = Date.parse(text);
  return Number.isNaN(time) ? {} : { createdAt: new Date(time).toISOString() };
}

/** Damage of its own, or of an earlier one of its chain: names of backups sort by time. */
function damageOf({ path, backup }: KnownBackup, damaged: readonly DamagedBackup[]): ListedBackup['damage'] {
  const own = damaged.find((each) => each.path === path);
  if (own !== undefined) return { reason: own.reason, message: own.message.slice(0, 512) };
  const below = damaged.find(
    (each) =>
      each.chain === backup.chain.id && vmDirectoryOf(each.path) === vmDirectoryOf(path) && each.path < path,
  );
  if (below === undefined) return undefined;
  const id = below.path.slice(below.path.lastIndexOf('/') + 1);
  return { reason: 'StandsOnDamage', message: `it may stand on ${id}, which is damaged`.slice(0, 512) };
}
