import type { VMBackup } from '../../crds/vmbackup.ts';
import { bitmapSeconds } from '../bitmap-name.ts';
import { bitmapsLeftBy } from '../obsolete-bitmaps.ts';
import { standingOf } from '../standing.ts';

/** So many objects are removed in one go at most. */
export const MOST_REMOVED_AT_ONCE = 50;
/** The next plan reads the head of the chain, and from the good backup before it, what may still be on the disks. */
const NEEDED_GOOD = 2;

export interface HistoryQuestion {
  /** VMBackups that the schedule made. */
  readonly children: readonly VMBackup[];
  /** All VMBackups of a VM of the namespace, whoever made them. */
  readonly backupsOfVm: (vmName: string) => readonly VMBackup[];
  /** Names of backups that something else still needs, such as a restore under way. */
  readonly inUse: ReadonlySet<string>;
  /** How many stay for each VM and repository; all of them if undefined. */
  readonly successful: number | undefined;
  readonly failed: number;
}

/**
 * The VMBackup objects that a schedule may remove because there are enough newer ones: for each VM and repository, the newest good
 * ones stay and the newest failed ones. Only objects whose removal leaves the data alone; never what the next backup of the
 * VM needs to know (the two newest good ones, and whoever may have left a bitmap since), never one that is not over or is in use.
 */
export function excessBackups(question: HistoryQuestion): readonly VMBackup[] {
  const groups = Map.groupBy(question.children, ({ spec }) => `${spec.repository}/${spec.vmName}`);
  const excess = [...groups.values()].flatMap((children) => excessOf(children, question));
  return excess.slice(0, MOST_REMOVED_AT_ONCE);
}

function excessOf(children: readonly VMBackup[], question: HistoryQuestion): readonly VMBackup[] {
  const [first] = children;
  if (first === undefined) return [];
  const { vmName, repository } = first.spec;
  const siblings = question.backupsOfVm(vmName).filter(({ spec }) => spec.repository === repository);
  const newestGood = siblings.filter(isGood).sort(newestFirst).slice(0, NEEDED_GOOD);
  const needed = new Set(newestGood.map(({ metadata }) => metadata.uid));
  // Without two good ones, everything may still matter.
  const settled = newestGood.length < NEEDED_GOOD ? Number.NEGATIVE_INFINITY : orderOf(newestGood.at(-1)!);
  const mayGo = (backup: VMBackup) =>
    !needed.has(backup.metadata.uid) &&
    !question.inUse.has(backup.metadata.name) &&
    backup.metadata.deletionTimestamp === undefined &&
    leavesTheData(backup);
  const good = children.filter(isGood).sort(newestFirst).slice(question.successful).filter(mayGo);
  const failed = children
    .filter((backup) => standingOf(backup).kind === 'Failed')
    .sort(youngestFirst)
    .slice(question.failed)
    .filter((backup) => mayGo(backup) && (orderOf(backup) < settled || bitmapsLeftBy(backup).length === 0));
  return [...(question.successful === undefined ? [] : good), ...failed];
}

/** With `deletionPolicy: Delete` the data goes with the object, and a hold is lost with it: that is for nobody to decide here. */
function leavesTheData(backup: VMBackup): boolean {
  const { deletionPolicy, hold } = backup.spec;
  return !isGood(backup) || (deletionPolicy !== 'Delete' && hold !== true);
}

function isGood(backup: VMBackup): boolean {
  return standingOf(backup).kind === 'Succeeded';
}

function newestFirst(a: VMBackup, b: VMBackup): number {
  return orderOf(b) - orderOf(a) || youngestFirst(a, b);
}

/** Bitmaps rise with each plan for the VM, so they tell the order of the points in time; clocks may not. */
function orderOf({ status }: VMBackup): number {
  return bitmapSeconds(status?.plan?.bitmap ?? '') ?? -1;
}

function youngestFirst(a: VMBackup, b: VMBackup): number {
  return timeOf(b) - timeOf(a) || (a.metadata.name < b.metadata.name ? 1 : -1);
}

function timeOf({ metadata }: VMBackup): number {
  return Date.parse(metadata.creationTimestamp ?? '') || 0;
}
