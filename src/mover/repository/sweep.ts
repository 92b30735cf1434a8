import { join } from 'node:path';
import { uid8, vmDirectoryOf } from '../../domain/names.ts';
import type { SweepOrder, SweepOutcome, SweepResult } from '../../domain/upkeep/sweep.ts';
import { MoverError, throwIfAborted } from '../errors.ts';
import { ancestorsIn, descendantsIn, type Member, readFamily } from './family.ts';
import { isPlainPath, removeBackup } from './remove-backup.ts';

type Wanted = SweepOrder['backups'][number];
type Told = SweepResult['backups'][number];
type Family = ReadonlyMap<string, Member>;

/**
 * Removes backups from a repository, leaf first. What something stands on stays, by what the manifests in the repository say and not by
 * what the caller believes. Safe to run again. Stops at the first that cannot be removed: whatever is wrong with the repository then,
 * it is not made worse.
 */
export async function sweep(root: string, order: SweepOrder, signal: AbortSignal): Promise<readonly Told[]> {
  const told: Told[] = [];
  let failed = false;
  for (const vm of new Set(order.backups.map(({ path }) => vmDirectoryOf(path)))) {
    const wanted = order.backups.filter(({ path }) => vmDirectoryOf(path) === vm);
    if (failed) {
      told.push(...wanted.map((each) => tell(each, 'NotReached', 'NotReached', AFTER_FAILURE)));
      continue;
    }
    const some = await sweepVm(root, vm, wanted, order, signal);
    told.push(...some);
    failed = some.some(({ outcome }) => outcome === 'Failed');
  }
  return told;
}

const AFTER_FAILURE = 'another backup could not be removed before it, and the sweep ended there';

/** One VM's backups. */
async function sweepVm(
  root: string,
  vm: string,
  wanted: readonly Wanted[],
  { clusterId, keep }: SweepOrder,
  signal: AbortSignal,
): Promise<readonly Told[]> {
  const foreign = wanted.filter(({ path }) => !path.startsWith(`${clusterId}/`));
  const told = foreign.map((each) =>
    tell(each, 'Refused', 'TakenByAnotherCluster', 'another cluster took it, and it alone may remove it'),
  );
  const kept = new Set(keep.filter((path) => vmDirectoryOf(path) === vm).map(idOf));
  let left = wanted.filter((each) => !foreign.includes(each));
  try {
    if (left.length > 0) await isPlainPath(root, vm);
    let family = await readFamily(join(root, vm));
    const refused = new Map(left.map((each) => [each, refusalOf(each, family, kept)]));
    for (const why of refused.values()) if (why !== undefined) told.push(why);
    left = left.filter((each) => refused.get(each) === undefined);
    const going = new Map(left.map((each) => [each, companyOf(each, family, kept)]));
    const doomed = new Set<string>();
    for (const ids of going.values()) for (const id of ids) doomed.add(id);
    const freed = new Map<string, number>();
    for (let id = nextLeaf(doomed, family); id !== undefined; id = nextLeaf(doomed, family)) {
      throwIfAborted(signal);
      await isPlainPath(root, `${vm}/${id}`);
      const was = await removeBackup(join(root, vm, id));
      freed.set(id, was ? bytesOf(family.get(id)) : -1);
      doomed.delete(id);
      family = new Map([...family].filter(([other]) => other !== id));
    }
    for (const [each, ids] of going) told.push(outcomeOf(each, ids, freed, family));
    return told;
  } catch (error) {
    if (!(error instanceof MoverError)) throw error;
    const known = new Set(told.map(({ uid }) => uid));
    const [first, ...rest] = wanted.filter(({ uid }) => !known.has(uid));
    if (first !== undefined) told.push(tell(first, 'Failed', error.reason, error.message));
    return [...told, ...rest.map((each) => tell(each, 'NotReached', 'NotReached', AFTER_FAILURE))];
  }
}

/** What goes with a backup, itself first. What must be kept never does. */
function companyOf(wanted: Wanted, family: Family, kept: ReadonlySet<string>): ReadonlySet<string> {
  const id = idOf(wanted.path);
  if (wanted.with === 'Nothing') return new Set([id]);
  const base = wanted.with === 'Chain' ? [id, ...ancestorsIn(family, id)] : [id];
  const all = [...base, ...descendantsIn(family, base)];
  // One that cannot be read may be of another chain: it blocks, and does not go along.
  const mayGo = (each: string) => each === id || (!kept.has(each) && family.get(each)?.parents !== null);
  return new Set(all.filter(mayGo));
}

/** A doomed backup that nothing stands on (any more). */
function nextLeaf(doomed: ReadonlySet<string>, family: Family): string | undefined {
  return [...doomed].find((id) => descendantsIn(family, [id]).size === 0);
}

function refusalOf(wanted: Wanted, family: Family, kept: ReadonlySet<string>): Told | undefined {
  const id = idOf(wanted.path);
  if (kept.has(id)) return tell(wanted, 'Refused', 'StillWanted', 'its VMBackup is not being deleted');
  const member = family.get(id);
  if (member === undefined) return undefined;
  const isIt =
    member.manifest === null
      ? id.endsWith(`-${uid8(wanted.uid)}`)
      : member.manifest.backup.uid === wanted.uid;
  if (isIt) return undefined;
  return tell(wanted, 'Refused', 'AnotherBackup', 'another backup lies at its path: nothing was removed');
}

function outcomeOf(
  wanted: Wanted,
  ids: ReadonlySet<string>,
  freed: ReadonlyMap<string, number>,
  family: Family,
): Told {
  const id = idOf(wanted.path);
  if (freed.has(id)) {
    const bytes = [...ids].reduce((sum, each) => sum + Math.max(0, freed.get(each) ?? 0), 0);
    return { ...tell(wanted, freed.get(id) === -1 ? 'Gone' : 'Removed', '', ''), bytes };
  }
  const above = [...descendantsIn(family, [id])].sort();
  const unknown = above.filter((each) => family.get(each)?.parents === null);
  const names = above.slice(0, 3).join(', ') + (above.length > 3 ? ` and ${above.length - 3} more` : '');
  const message =
    unknown.length > 0
      ? `${unknown.slice(0, 3).join(', ')} cannot be read, and may stand on it: move that directory away if it is of no use`
      : `in the repository, ${names} ${above.length === 1 ? 'stands' : 'stand'} on it`;
  return tell(wanted, 'HasDescendants', 'HasDescendants', message);
}

function tell({ uid }: Wanted, outcome: SweepOutcome, reason: string, message: string): Told {
  return { uid, outcome, reason, message: message.slice(0, 400), bytes: 0 };
}

function idOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function bytesOf(member: Member | undefined): number {
  return (member?.manifest?.volumes ?? []).reduce(
    (sum, { image, sums }) => sum + image.bytes + sums.bytes,
    0,
  );
}
