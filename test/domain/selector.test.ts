import { describe, expect, test } from 'vitest';
import type { LabelSelector } from '../../src/crds/vmbackupschedule.ts';
import { chooseVms, matchesSelector } from '../../src/domain/selector.ts';

const vms = [
  { metadata: { name: 'web', labels: { tier: 'gold', app: 'web' } } },
  { metadata: { name: 'db', labels: { tier: 'gold' } } },
  { metadata: { name: 'bare' } },
];

describe('vmNames', () => {
  test('takes the VMs that are there, each once, and tells which are not', () => {
    expect(chooseVms({ vmNames: ['web', 'ghost', 'db', 'web'] }, vms)).toEqual({
      found: ['db', 'web'],
      missing: ['ghost'],
    });
  });
});

describe('vmSelector', () => {
  test('takes the VMs that match, by name', () => {
    expect(chooseVms({ vmSelector: { matchLabels: { tier: 'gold' } } }, vms)).toEqual({
      found: ['db', 'web'],
      missing: [],
    });
  });

  test('takes nothing when there is neither', () => {
    expect(chooseVms({}, vms)).toEqual({ found: [], missing: [] });
  });

  test.each<[string, LabelSelector, Record<string, string>, boolean]>([
    ['equal labels', { matchLabels: { tier: 'gold' } }, { tier: 'gold', x: 'y' }, true],
    ['all labels must be equal', { matchLabels: { tier: 'gold', x: 'z' } }, { tier: 'gold', x: 'y' }, false],
    [
      'In, with the value',
      { matchExpressions: [{ key: 'tier', operator: 'In', values: ['tin', 'gold'] }] },
      { tier: 'gold' },
      true,
    ],
    [
      'In, with another value',
      { matchExpressions: [{ key: 'tier', operator: 'In', values: ['tin'] }] },
      { tier: 'gold' },
      false,
    ],
    [
      'In, without the label',
      { matchExpressions: [{ key: 'tier', operator: 'In', values: ['tin'] }] },
      {},
      false,
    ],
    ['In, without values', { matchExpressions: [{ key: 'tier', operator: 'In' }] }, { tier: 'gold' }, false],
    [
      'NotIn, with the value',
      { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['gold'] }] },
      { tier: 'gold' },
      false,
    ],
    [
      'NotIn, without the label',
      { matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['gold'] }] },
      {},
      true,
    ],
    ['Exists', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, { tier: '' }, true],
    ['Exists, without the label', { matchExpressions: [{ key: 'tier', operator: 'Exists' }] }, {}, false],
    ['DoesNotExist', { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] }, {}, true],
    [
      'DoesNotExist, with the label',
      { matchExpressions: [{ key: 'tier', operator: 'DoesNotExist' }] },
      { tier: 'tin' },
      false,
    ],
    [
      'labels and expressions together',
      { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'skip', operator: 'DoesNotExist' }] },
      { a: 'b', skip: 'yes' },
      false,
    ],
  ])('%s', (_, selector, labels, matches) => {
    expect(matchesSelector(selector, labels)).toBe(matches);
  });
});
