import { expect, test } from 'vitest';
import type { UpkeepStatus } from '../../../src/crds/upkeep.ts';
import { beginFor } from '../../../src/domain/upkeep/follow.ts';

const none = { imported: 0, dataWithoutObject: 0, objectsWithoutData: 0, unreadable: 0, otherClusters: 0 };
const half = { ...none, backups: 500, storedBytes: 1, next: 'c/shop/db-1/b500' };

function repository(annotation: string | undefined, follows: UpkeepStatus['follows'], trigger?: string) {
  return {
    metadata: {
      ...{ name: 'nas', uid: 'nas' },
      annotations: annotation === undefined ? {} : { 'backup.tidemark.dev/sync': annotation },
    },
    status: { catalogue: { ...half, ...(trigger && { trigger }) }, upkeep: { run: 1, follows } },
  };
}

test('a listing half-way through goes on for whom it was begun for', () => {
  for (const wish of ['now', undefined]) {
    const { follows, catalogue } = beginFor(repository(wish, wish ? { sync: wish } : {}), 'Catalogue');
    expect(follows).toEqual(wish ? { sync: wish } : {});
    expect(catalogue?.next).toBe(half.next);
  }
});

test('it begins anew for whoever asks meanwhile: what he asks for may lie where it has been already', () => {
  const { follows, catalogue } = beginFor(repository('now', { scrub: 'x' }), 'Catalogue');
  expect(follows).toEqual({ sync: 'now', scrub: 'x' });
  expect(catalogue).not.toHaveProperty('next');
});

test('what was followed once is not followed again, and other work leaves it as it is', () => {
  expect(beginFor(repository('now', { sync: 'now' }, 'now'), 'Catalogue').follows).toEqual({});
  expect(beginFor(repository('now', { sync: 'before' }), 'Sweep')).toEqual({
    follows: { sync: 'before' },
    catalogue: half,
  });
});
