import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isInScope, visibleTo } from '../../../src/domain/listing/scope.ts';
import { repository, repositorySpec } from '../builders.ts';

const path = (text: string) => text.split('/');

describe('what a namespace sees of a repository', () => {
  test('is what it owns in this cluster, and what it may restore', () => {
    const restoreGrants = [
      { from: 'old-shop', into: 'shop' },
      { clusterID: 'burnt', from: 'shop', into: 'shop' },
      { clusterID: '*', from: 'bank', into: 'vault' },
      { clusterID: '*', from: 'public', into: '*' },
    ];
    const nas = { ...repository(), spec: repositorySpec({ local: { path: '/srv' }, restoreGrants }) };
    expect(visibleTo('shop', 'c', nas)).toEqual(['c/shop', 'c/old-shop', 'burnt/shop', '*/public']);
    expect(visibleTo('bank', 'c', nas)).toEqual(['c/bank', '*/public']);
  });

  test.each([
    ['c', true],
    ['other', false],
    ['c/shop', true],
    ['c/shop-2', false],
    ['c/bank', false],
    ['c/shop/db-1a2b3c4d', true],
    ['c/shop/db-1a2b3c4d/x', true],
    ['c/shop/db-2-1a2b3c4d', false],
    ['c/shop/web-1a2b3c4d', false],
  ])('%s: %s', (directory, isSeen) => {
    expect(isInScope({ within: ['c/shop'], vmName: 'db' }, path(directory))).toBe(isSeen);
  });

  test('is everything where nothing is said', () => {
    expect(isInScope({}, ['any', 'where', 'db-1', 'x'])).toBe(true);
  });

  test('is never what belongs to another namespace, whatever the names look like', () => {
    const name = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,8}$/);
    fc.assert(
      fc.property(fc.array(name, { minLength: 2, maxLength: 4 }), name, (parts, namespace) => {
        const seen = isInScope({ within: [`c/${namespace}`] }, parts);
        expect(seen).toBe(parts[0] === 'c' && parts[1] === namespace);
      }),
    );
  });
});
