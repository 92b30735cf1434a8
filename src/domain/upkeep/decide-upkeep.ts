import type { VMBackupRepository } from '../../crds/vmbackuprepository.ts';
import { notMountableByJobs } from '../job/not-mountable.ts';
import { SCRUB_ANNOTATION, SYNC_ANNOTATION } from '../labels.ts';
import type { Why } from '../why.ts';
import { askedListing, askedScrub } from './follow.ts';

/** What the Jobs that look after a repository do. */
export type Work = 'Sweep' | 'Catalogue' | 'Verify' | 'Scrub';

export interface UpkeepWorld {
  readonly repository: VMBackupRepository;
  /** Backups that a sweep may take now. */
  readonly toSweep: number;
  /** Backups whose verification is asked for. */
  readonly toVerify: number;
}

/** What is to be done for a repository next, while no Job of it runs. */
export type UpkeepDecision =
  | { readonly kind: 'Begin'; readonly work: Work; readonly why: Why }
  | { readonly kind: 'Nothing'; readonly afterMs: number };

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** So often the repository is listed. */
export const CATALOGUE_EVERY_MS = 6 * HOUR_MS;
/** So often what dead attempts left behind is collected. */
const LEFTOVERS_EVERY_MS = DAY_MS;
const LOOK_AGAIN_MS = 60_000;
const FIRST_RETRY_MS = 60_000;

type Check = (world: UpkeepWorld, now: number) => { readonly work: Work; readonly why: Why } | undefined;

/** First match wins: what frees space goes before what only looks. One Job at a time for each repository. */
const due: readonly Check[] = [
  backupsToRemove,
  listingAsked,
  listingDue,
  verificationAsked,
  scrubAsked,
  leftoversDue,
  scrubDue,
];

/** Decides what a repository needs. `now` in milliseconds since the epoch. */
export function decideUpkeep(world: UpkeepWorld, now: number): UpkeepDecision {
  const { status } = world.repository;
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const notBefore = retryAt(status?.upkeep);
  if (notMountableByJobs(world.repository) !== undefined) return { kind: 'Nothing', afterMs: HOUR_MS };
  if (ready?.status !== 'True') return { kind: 'Nothing', afterMs: LOOK_AGAIN_MS };
  if (now < notBefore) return { kind: 'Nothing', afterMs: Math.min(LOOK_AGAIN_MS, notBefore - now) };
  for (const check of due) {
    const found = check(world, now);
    if (found !== undefined) return { kind: 'Begin', ...found };
  }
  return { kind: 'Nothing', afterMs: LOOK_AGAIN_MS };
}

/** The share of what is left of a pass that the next slice must read, so that the pass ends in time. */
export function scrubShare(repository: VMBackupRepository, now: number): number {
  if (askedScrub(repository) !== undefined) return 1;
  const { spec, status } = repository;
  const every = scrubEveryMs(spec.scrubEvery) ?? DAY_MS;
  const begun = timeOf(status?.scrub?.cycleStartedAt) ?? now;
  const left = status?.scrub?.cursor === undefined ? every : begun + every - now;
  return 1 / Math.max(1, Math.ceil(left / sliceEveryMs(every)));
}

/** How far apart the slices are: a day, or the whole time if that is less. Milliseconds. */
export function sliceEveryMs(scrubEvery: number): number {
  return Math.min(DAY_MS, scrubEvery);
}

/** `30d` → milliseconds; undefined for Never. */
export function scrubEveryMs(text = '30d'): number | undefined {
  const [, number, unit] = /^(\d+)([dh])$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (unit === 'd' ? DAY_MS : HOUR_MS);
}

function backupsToRemove({ toSweep }: UpkeepWorld) {
  if (toSweep === 0) return undefined;
  const message = `${toSweep} ${toSweep === 1 ? 'backup is' : 'backups are'} to be removed.`;
  return { work: 'Sweep', why: { reason: 'BackupsToRemove', message } } as const;
}

function listingAsked({ repository }: UpkeepWorld) {
  if (askedListing(repository) === undefined) return undefined;
  const message = `The annotation ${SYNC_ANNOTATION} asks for it.`;
  return { work: 'Catalogue', why: { reason: 'ListingAsked', message } } as const;
}

function listingDue({ repository: { status } }: UpkeepWorld, now: number) {
  const last = timeOf(status?.catalogue?.lastTime);
  const goesOn = status?.catalogue?.next !== undefined;
  if (!goesOn && last !== undefined && now - last < CATALOGUE_EVERY_MS) return undefined;
  const message = 'The repository is compared with the VMBackups of the cluster.';
  return { work: 'Catalogue', why: { reason: 'ListingDue', message } } as const;
}

function verificationAsked({ toVerify }: UpkeepWorld) {
  if (toVerify === 0) return undefined;
  const message = `${toVerify === 1 ? '1 backup asks' : `${toVerify} backups ask`} for it.`;
  return { work: 'Verify', why: { reason: 'VerificationAsked', message } } as const;
}

function leftoversDue({ repository: { metadata, status } }: UpkeepWorld, now: number) {
  const last = timeOf(status?.upkeep?.leftoversAt) ?? timeOf(metadata.creationTimestamp) ?? now;
  if (now - last < LEFTOVERS_EVERY_MS) return undefined;
  const message = 'What dead attempts left behind is collected.';
  return { work: 'Sweep', why: { reason: 'LeftoversDue', message } } as const;
}

function scrubAsked({ repository }: UpkeepWorld) {
  if (askedScrub(repository) === undefined) return undefined;
  const message = `The annotation ${SCRUB_ANNOTATION} asks for it.`;
  return { work: 'Scrub', why: { reason: 'ScrubAsked', message } } as const;
}

function scrubDue({ repository: { metadata, spec, status } }: UpkeepWorld, now: number) {
  const every = scrubEveryMs(spec.scrubEvery);
  if (every === undefined) return undefined;
  // What was just written was just proven: a new repository begins after the first interval.
  const first = (timeOf(metadata.creationTimestamp) ?? now) + sliceEveryMs(every);
  if (now < (timeOf(status?.scrub?.nextSliceAt) ?? first)) return undefined;
  return { work: 'Scrub', why: { reason: 'ScrubDue', message: 'A slice of the data is verified.' } } as const;
}

function retryAt(upkeep: NonNullable<VMBackupRepository['status']>['upkeep']): number {
  const at = timeOf(upkeep?.lastFailure?.at);
  if (at === undefined || !upkeep?.failures) return 0;
  return at + Math.min(HOUR_MS, FIRST_RETRY_MS * 2 ** Math.min(upkeep.failures - 1, 10));
}

function timeOf(text: string | undefined): number | undefined {
  const milliseconds = Date.parse(text ?? '');
  return Number.isNaN(milliseconds) ? undefined : milliseconds;
}
