import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { newestGood } from '../../../src/domain/chain.ts';
import { obsoleteBitmaps } from '../../../src/domain/obsolete-bitmaps.ts';
import { excessBackups, type HistoryQuestion } from '../../../src/domain/schedule/history.ts';
import { ago, backup, failure, goodBackup, plan } from '../builders.ts';

/** The n-th backup, each a minute younger than the one before. */
function good(n: number, spec: Partial<VMBackup['spec']> = {}): VMBackup {
  const parts = { bitmap: `backup-${1000 + n}` };
  const execution = { bitmapCreated: parts.bitmap };
  return goodBackup(`b${n}`, { createdAt: ago(10_000 - 60 * n), plan: parts, execution, spec });
}

function failed(n: number, left: object = {}): VMBackup {
  const status = {
    plan: plan({ bitmap: `backup-${1000 + n}` }),
    execution: {
      ...{ attempt: 1, agent: 'n1', startedAt: ago(1), completedAt: ago(1) },
      ...{ error: { ...failure, final: true }, ...left },
    },
  };
  return backup({ name: `b${n}`, createdAt: ago(10_000 - 60 * n), status });
}

function removed(children: readonly VMBackup[], changes: Partial<HistoryQuestion> = {}): readonly string[] {
  const question = {
    ...{ children, backupsOfVm: () => children, inUse: new Set<string>(), successful: 3, failed: 1 },
    ...changes,
  };
  return excessBackups(question)
    .map(({ metadata }) => metadata.name)
    .sort();
}

describe('of the objects of a schedule', () => {
  test('the newest stay, and the older ones go', () => {
    expect(removed([1, 2, 3, 4, 5].map((n) => good(n)))).toEqual(['b1', 'b2']);
  });

  test('all good ones stay without a limit', () => {
    expect(
      removed(
        [1, 2, 3, 4, 5].map((n) => good(n)),
        { successful: undefined },
      ),
    ).toEqual([]);
  });

  test('the two newest good ones stay whatever the limit: the next plan reads them', () => {
    expect(
      removed(
        [1, 2, 3].map((n) => good(n)),
        { successful: 1 },
      ),
    ).toEqual(['b1']);
  });

  test('each repository counts for itself', () => {
    expect(removed([good(1), good(2), good(3, { repository: 'attic' })], { successful: 1 })).toEqual([]);
  });

  test('a failed one goes when there are enough newer ones', () => {
    expect(removed([failed(1), failed(2), good(3), good(4)])).toEqual(['b1']);
  });

  test('a failed one stays while it may have left a bitmap that the next good backup removes', () => {
    const left = { bitmapCreated: 'backup-1002' };
    const young = [good(0), good(1), failed(2, left), failed(3)];
    expect(removed(young)).toEqual([]);
    expect(removed([...young, good(4), good(5)])).toEqual(['b0', 'b2']);
  });

  test.each([
    ['one that is not over', backup({ name: 'b0', createdAt: ago(99_999) })],
    [
      'one that is being deleted already',
      { ...good(0), metadata: { ...good(0).metadata, deletionTimestamp: ago(1) } },
    ],
    [
      'one whose data would go with it',
      { ...good(0), spec: { ...good(0).spec, deletionPolicy: 'Delete' as const } },
    ],
  ])('%s stays', (_, old) => {
    expect(removed([old, ...[1, 2, 3].map((n) => good(n))])).toEqual([]);
  });

  test('one that a restore reads stays', () => {
    expect(
      removed(
        [0, 1, 2, 3].map((n) => good(n)),
        { inUse: new Set(['b0']) },
      ),
    ).toEqual([]);
  });
});

test('whatever is removed, the next plan has the same parent and cleans up the same bitmaps', () => {
  const any = fc.array(fc.constantFrom('good', 'failed', 'left'), { minLength: 1, maxLength: 25 });
  fc.assert(
    fc.property(
      any,
      fc.integer({ min: 1, max: 5 }),
      fc.integer({ min: 1, max: 3 }),
      (kinds, successful, limit) => {
        const children = kinds.map((kind, n) => {
          if (kind === 'good') return good(n);
          return kind === 'left' ? failed(n, { bitmapCreated: `backup-${1000 + n}` }) : failed(n);
        });
        const gone = new Set(removed(children, { successful, failed: limit }));
        const stay = children.filter(({ metadata }) => !gone.has(metadata.name));
        const next = backup({ name: 'next' });
        expect(newestGood(stay, 'db', 'nas')).toEqual(newestGood(children, 'db', 'nas'));
        expect(obsoleteBitmaps(next, stay)).toEqual(obsoleteBitmaps(next, children));
        const goodLeft = stay.filter(({ status }) => status?.execution?.error === undefined);
        const goodOnes = kinds.filter((kind) => kind === 'good').length;
        expect(goodLeft.length).toBe(Math.min(goodOnes, Math.max(successful, 2)));
      },
    ),
  );
});
