import type { DamagedBackup, ScrubStatus } from '../../crds/upkeep.ts';
import { vmBackups } from '../../crds/vmbackup.ts';
import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { scrubEveryMs, sliceEveryMs } from '../../domain/upkeep/decide-upkeep.ts';
import { DAMAGED_LIMIT, mergeDamage, type ScrubResult } from '../../domain/upkeep/scrub.ts';
import type { Event } from '../../kube/events.ts';
import type { Caches } from '../caches.ts';
import type { Tools } from '../report.ts';

/** Between two slices of which the first had to give way. Milliseconds. */
const GOES_ON_MS = 60_000;
const DAY_MS = 86_400_000;

export interface Scrubbed {
  readonly status: ScrubStatus;
  /** Damage that nobody knew of. */
  readonly found: readonly DamagedBackup[];
}

/** What the status says after a slice. `share` is what the slice was asked to read of what was left. */
export function scrubbed(
  { spec, status }: VMBackupRepository,
  result: ScrubResult,
  { isNewPass, share }: { readonly isNewPass: boolean; readonly share: number },
  now: number,
): Scrubbed {
  const before = status?.scrub;
  const at = new Date(now).toISOString();
  const from = isNewPass ? undefined : before?.cursor;
  const known = before?.damaged ?? [];
  const damaged = mergeDamage(known, from, result, at);
  const every = scrubEveryMs(spec.scrubEvery) ?? 30 * DAY_MS;
  const isBegin = from === undefined;
  // A pass names all that is damaged, and the status holds some of them.
  const unnamed = isBegin ? 0 : Math.max(0, (before?.damagedCount ?? 0) - known.length);
  const begun = isBegin ? now : Date.parse(before?.cycleStartedAt ?? at);
  const isWhole = result.cursor === null;
  const gaveWay = !isWhole && result.bytesRead < result.bytesLeft * share * 0.95;
  const next = isWhole ? begun + every : now + (gaveWay ? GOES_ON_MS : sliceEveryMs(every));
  const trigger = status?.upkeep?.follows?.scrub ?? before?.trigger;
  const earlier = new Set(known.map(({ path }) => path));
  const lastFullPassAt = isWhole ? at : before?.lastFullPassAt;
  return {
    found: damaged.filter(({ path }) => !earlier.has(path)),
    status: {
      cycleStartedAt: new Date(begun).toISOString(),
      lastSliceAt: at,
      nextSliceAt: new Date(next).toISOString(),
      ...(lastFullPassAt !== undefined && { lastFullPassAt }),
      ...(result.cursor !== null && { cursor: result.cursor }),
      ...(trigger !== undefined && { trigger }),
      passBytes: (isBegin ? 0 : (before?.passBytes ?? 0)) + result.bytesRead,
      damagedCount: damaged.length + unnamed,
      damaged: damaged.slice(0, DAMAGED_LIMIT),
    },
  };
}

/** Tells the owners of the damaged backups, and gives the event for the owner of the repository. */
export function tellDamage(
  caches: Caches,
  { recorder }: Tools,
  found: readonly DamagedBackup[],
): readonly Event[] {
  const byPath = new Map(found.map((each) => [each.path, each]));
  for (const backup of caches.backups.list(({ status }) => byPath.has(status?.plan?.path ?? ''))) {
    const damage = byPath.get(backup.status?.plan?.path ?? '');
    const note = `Damage was found (${damage?.reason}): ${damage?.message}. The next backup of this chain is a full.`;
    recorder.record(vmBackups, backup, { type: 'Warning', reason: 'DataDamaged', action: 'Scrub', note });
  }
  return found.slice(0, 5).map(({ path, message }) => ({
    type: 'Warning',
    reason: 'DataDamaged',
    action: 'Scrub',
    note: `${path}: ${message}. The next backup of its chain is a full; restores from it will fail where it is damaged.`,
  }));
}
