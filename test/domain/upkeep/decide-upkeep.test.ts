import { describe, expect, test } from 'vitest';
import type { VMBackupRepository } from '../../../src/crds/vmbackuprepository.ts';
import { decideUpkeep, scrubShare } from '../../../src/domain/upkeep/decide-upkeep.ts';
import { ago, NOW, repository } from '../builders.ts';

const DAY = 86_400;
const catalogue = {
  lastTime: ago(60),
  ...{ backups: 0, storedBytes: 0, imported: 0, dataWithoutObject: 0, objectsWithoutData: 0, unreadable: 0 },
  otherClusters: 0,
};
const scrub = { passBytes: 0, damagedCount: 0, nextSliceAt: ago(-3600) };

/** A repository that needs nothing. */
function quiet(
  changes: Partial<NonNullable<VMBackupRepository['status']>> = {},
  { annotations, spec }: { annotations?: Record<string, string>; spec?: object } = {},
): VMBackupRepository {
  const made = repository();
  return {
    ...made,
    metadata: { ...made.metadata, creationTimestamp: ago(40 * DAY), annotations },
    spec: { ...made.spec, ...spec },
    status: { ...made.status, catalogue, scrub, upkeep: { run: 3, leftoversAt: ago(60) }, ...changes },
  };
}

const decide = (asked: VMBackupRepository, toSweep = 0, toVerify = 0) => {
  const decision = decideUpkeep({ repository: asked, toSweep, toVerify }, NOW);
  return decision.kind === 'Begin' ? `${decision.work} ${decision.why.reason}` : decision.kind;
};

describe('what a repository needs next', () => {
  test.each<[string, VMBackupRepository, number, string]>([
    ['nothing', quiet(), 0, 'Nothing'],
    [
      'a sweep, when something is to be removed, before all else',
      quiet({ catalogue: undefined }),
      2,
      'Sweep BackupsToRemove',
    ],
    ['a listing, when there was none yet', quiet({ catalogue: undefined }), 0, 'Catalogue ListingDue'],
    [
      'a listing, every six hours',
      quiet({ catalogue: { ...catalogue, lastTime: ago(6 * 3600) } }),
      0,
      'Catalogue ListingDue',
    ],
    [
      'the next page of a listing',
      quiet({ catalogue: { ...catalogue, next: 'c/a' } }),
      0,
      'Catalogue ListingDue',
    ],
    [
      'a listing that is asked for',
      quiet({}, { annotations: { 'backup.tidemark.dev/sync': 'x' } }),
      0,
      'Catalogue ListingAsked',
    ],
    [
      'no listing twice for one wish',
      quiet(
        { catalogue: { ...catalogue, trigger: 'x' } },
        { annotations: { 'backup.tidemark.dev/sync': 'x' } },
      ),
      0,
      'Nothing',
    ],
    [
      'leftovers collected, once a day',
      quiet({ upkeep: { run: 3, leftoversAt: ago(DAY) } }),
      0,
      'Sweep LeftoversDue',
    ],
    [
      'a slice of the scrub, when it is due',
      quiet({ scrub: { ...scrub, nextSliceAt: ago(0) } }),
      0,
      'Scrub ScrubDue',
    ],
    [
      'no scrub, when that is switched off',
      quiet({ scrub: undefined }, { spec: { scrubEvery: 'Never' } }),
      0,
      'Nothing',
    ],
    [
      'a scrub that is asked for, even then',
      quiet({}, { spec: { scrubEvery: 'Never' }, annotations: { 'backup.tidemark.dev/scrub': 'x' } }),
      0,
      'Scrub ScrubAsked',
    ],
    ['nothing while it is not ready', { ...quiet(), status: repository('False').status }, 5, 'Nothing'],
    [
      'nothing for a minute after a failed Job',
      quiet({ upkeep: { run: 3, failures: 1, lastFailure: { at: ago(59), reason: 'a', message: 'b' } } }),
      5,
      'Nothing',
    ],
    [
      'work again after that',
      quiet({ upkeep: { run: 3, failures: 1, lastFailure: { at: ago(60), reason: 'a', message: 'b' } } }),
      5,
      'Sweep BackupsToRemove',
    ],
    [
      'nothing for longer after the third',
      quiet({ upkeep: { run: 3, failures: 3, lastFailure: { at: ago(239), reason: 'a', message: 'b' } } }),
      5,
      'Nothing',
    ],
  ])('%s', (_, asked, toSweep, expected) => {
    expect(decide(asked, toSweep)).toBe(expected);
  });

  test('a verification that someone waits for: after what frees space, before what can wait', () => {
    expect(decide(quiet(), 0, 1)).toBe('Verify VerificationAsked');
    expect(decide(quiet(), 1, 1)).toBe('Sweep BackupsToRemove');
    expect(decide(quiet({ upkeep: { run: 3, leftoversAt: ago(DAY) } }), 0, 1)).toBe(
      'Verify VerificationAsked',
    );
  });
});

describe('the share of a slice', () => {
  const at = (days: number, cursor: string | undefined = 'c/a/b/x#root#0') =>
    scrubShare(
      quiet({ scrub: { ...scrub, cycleStartedAt: ago(days * DAY), ...(cursor && { cursor }) } }),
      NOW,
    );
  test('a thirtieth on the first day, and a day left out is caught up with', () => {
    expect(scrubShare(quiet({ scrub: undefined }), NOW)).toBeCloseTo(1 / 30);
    expect(at(10)).toBeCloseTo(1 / 20);
    expect(at(29)).toBe(1);
    expect(at(45)).toBe(1);
  });
  test('a simulated month: one slice a day sees every byte in time', () => {
    let left = 1000;
    for (let day = 0; day < 30; day++) left -= left * at(day, day === 0 ? '' : undefined);
    expect(left).toBeCloseTo(0);
  });
  test('all of it, when a person asks', () => {
    expect(scrubShare(quiet({}, { annotations: { 'backup.tidemark.dev/scrub': 'x' } }), NOW)).toBe(1);
  });
});
