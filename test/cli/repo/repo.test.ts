import { describe, expect, test } from 'vitest';
import { holdingsOf } from '../../../src/cli/repo/holdings.ts';
import { importedLines, importLine, outcomeOfImport } from '../../../src/cli/repo/import.ts';
import { holdingLines, repositoryLines } from '../../../src/cli/repo/screen.ts';
import { summaryOf } from '../../../src/cli/repo/summary.ts';
import { plain } from '../../../src/cli/screen/style.ts';
import type { CatalogueStatus } from '../../../src/crds/upkeep.ts';
import type { VMBackupRepositoryStatus } from '../../../src/crds/vmbackuprepository.ts';
import { ago, backup, execution, NOW, plan, repository } from '../../domain/builders.ts';

const GiB = 1024 ** 3;
const screen = { paint: plain, now: NOW };

const catalogue: CatalogueStatus = {
  ...{ lastTime: ago(3600), trigger: 'now', backups: 12, storedBytes: 4 * GiB, imported: 2 },
  ...{ dataWithoutObject: 0, objectsWithoutData: 0, unreadable: 0, otherClusters: 0 },
};

const unhealthy = { type: 'UpkeepHealthy', status: 'False', lastTransitionTime: ago(9) } as const;

function standing(changes: Partial<VMBackupRepositoryStatus>, ready = true) {
  const message = ready ? 'fine' : 'the server does not answer.';
  const condition = { ...repository().status!.conditions![0]!, type: 'Ready', message };
  const conditions = [{ ...condition, status: ready ? ('True' as const) : ('False' as const) }];
  return { ...repository(), status: { conditions, ...changes } };
}

describe('repo ls', () => {
  test('shows a good repository in one line', () => {
    const scrub = { passBytes: 1, damagedCount: 0, lastFullPassAt: ago(86_400 * 3) };
    const [header, row, ...more] = repositoryLines(
      [summaryOf(standing({ freeBytes: GiB, catalogue, scrub }))],
      screen,
    );
    expect(header).toMatch(/^REPOSITORY {2,}READY {2,}FREE {2,}BACKUPS {2,}STORED/);
    expect(row).toMatch(/^nas {2,}yes {2,}1\.0Gi {2,}12 {2,}4\.0Gi {2,}60m ago {2,}0 {2,}3d ago$/);
    expect(more).toEqual([]);
  });

  test.each([
    ['NotReady', standing({}, false), 'nas: the server does not answer.'],
    [
      'Drift',
      standing({ catalogue: { ...catalogue, dataWithoutObject: 3 } }),
      'nas: 3 without a VMBackup (kubectl tidemark repo import nas makes them again)',
    ],
    [
      'Drift',
      standing({ catalogue: { ...catalogue, objectsWithoutData: 1, unreadable: 2 } }),
      'nas: 1 VMBackups whose data is gone, 2 directories that cannot be read',
    ],
    [
      'UpkeepFails',
      standing({
        conditions: [
          ...(standing({}).status.conditions ?? []),
          { ...unhealthy, reason: 'FailedMount', message: 'Scrub: the Job does not begin: no such export' },
        ],
      }),
      'nas: Scrub: the Job does not begin: no such export',
    ],
  ])('%s is told in words', (need, seen, words) => {
    const summary = summaryOf(seen);
    expect(summary.needs).toEqual([need]);
    expect(repositoryLines([summary], screen).join('\n')).toContain(words);
  });

  test('without any says so', () => {
    expect(repositoryLines([], screen)).toEqual(['There is no VMBackupRepository in this cluster.']);
  });

  test('adds up what each VM has in it, and leaves out what failed or lies elsewhere', () => {
    const good = (name: string, spec = {}) =>
      backup({ name, spec, status: { plan: plan(), execution: execution({ completedAt: ago(7) }) } });
    const imported = { cluster: 'c', path: 'c/shop/db-1/x', uid: 'x' };
    const all = [
      good('a'),
      good('x', { imported }),
      good('elsewhere', { repository: 'other' }),
      backup({ name: 'new' }),
    ];
    const [db, ...more] = holdingsOf('nas', all);
    expect(db).toMatchObject({ namespace: 'shop', vm: 'db', backups: 2, imported: 1 });
    expect(more).toEqual([]);
    expect(holdingLines([db!], screen)[1]).toMatch(/^shop {2,}db {2,}2 {2,}1 {2,}\S+ {2,}\S+ ago$/);
  });
});

describe('repo import', () => {
  const before = standing({ catalogue: { ...catalogue, trigger: 'before' } });
  const outcome = outcomeOfImport('now', before);

  test('waits until the repository has answered', () => {
    expect(outcome(before)).toBeUndefined();
    expect(importLine(before, undefined).text).toBe('waits for its turn');
    const sweeping = standing({ upkeep: { run: 1, job: 'sweep-1', work: 'Sweep' } });
    expect(importLine(sweeping, undefined).text).toBe('waits for the Job sweep-1 to end');
  });

  test('tells what was imported, and what was not and why', () => {
    const found = outcome(standing({ catalogue: { ...catalogue, dataWithoutObject: 3 } }));
    expect(importedLines('nas', found!).join('\n')).toMatch(
      /^nas: 12 backups, 4\.0Gi; 2 imported now\n {2}3 have no VMBackup: their namespace is not there/,
    );
  });

  test('of a repository that is not ready, or whose Job fails, ends with the reason', () => {
    expect(outcome(standing({}, false))?.failure?.message).toBe('the server does not answer.');
    const lastFailure = { at: ago(1), reason: 'TargetStale', message: 'Gone.' };
    const failed = standing({ upkeep: { run: 1, work: 'Catalogue', lastFailure } });
    expect(outcome(failed)).toEqual({ failure: { reason: 'TargetStale', message: 'Gone.' } });
    // What failed before it was asked is no answer.
    expect(outcomeOfImport('now', failed)(failed)).toBeUndefined();
  });
});
