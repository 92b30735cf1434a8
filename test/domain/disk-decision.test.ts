import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { PlannedDisk } from '../../src/crds/vmbackup.ts';
import { decideDisks, type ObservedDisk } from '../../src/domain/disk-decision.ts';

const planned = (volume: string, type: 'Full' | 'Incremental' = 'Incremental'): PlannedDisk => ({
  volume,
  type,
  reason: type === 'Full' ? 'ChainComplete' : 'ParentUsable',
  ...(type === 'Incremental' ? { parentPath: 'c/n/vm/parent' } : {}),
});
const good = (volume: string, other: Partial<ObservedDisk> = {}): ObservedDisk => ({
  volume,
  trackable: true,
  bitmap: 'usable',
  parentData: 'good',
  ...other,
});

describe('what each disk gets on the node', () => {
  test('an incremental when its bitmap and the data of its parent are good', () => {
    const decision = decideDisks({ disks: [planned('root')] }, [good('root')]);
    expect(decision).toEqual({
      type: 'Incremental',
      disks: [
        {
          volume: 'root',
          type: 'Incremental',
          reason: 'ParentUsable',
          tracked: true,
          parentPath: 'c/n/vm/parent',
        },
      ],
    });
  });

  test.each([
    ['DiskNotTracked', { trackable: false }],
    ['VMStopped', { trackable: false, bitmap: 'unreachable' }],
    ['BitmapMissing', { bitmap: 'missing' }],
    ['BitmapInconsistent', { bitmap: 'inconsistent' }],
    ['CheckpointLost', { bitmap: 'unknown' }],
    ['ParentDataMissing', { parentData: 'missing' }],
    ['ParentDataDamaged', { parentData: 'damaged' }],
    ['ParentDataDamaged', { parentData: 'unknown' }],
    ['BitmapMissing', { bitmap: 'missing', parentData: 'missing' }],
  ] as const)('a full, saying %s, when it finds %o', (reason, found) => {
    const decision = decideDisks({ disks: [planned('root')] }, [good('root', found)]);
    expect(decision.type).toBe('Full');
    expect(decision.disks[0]).toMatchObject({ type: 'Full', reason });
    expect(decision.fallback).toMatchObject({ reason, disks: ['root'] });
    expect(decision.fallback?.message).toContain('root: ');
  });

  test('the disk that lost its bitmap falls back alone, and the other stays incremental', () => {
    const disks = [planned('root'), planned('data')];
    const decision = decideDisks({ disks }, [good('root'), good('data', { bitmap: 'inconsistent' })]);
    expect(decision.type).toBe('Incremental');
    expect(decision.disks.map(({ type }) => type)).toEqual(['Incremental', 'Full']);
    expect(decision.fallback?.disks).toEqual(['data']);
  });

  test('a planned full is no fallback, and keeps its reason', () => {
    const decision = decideDisks({ disks: [planned('root', 'Full')] }, [good('root', { bitmap: 'unknown' })]);
    expect(decision.fallback).toBeUndefined();
    expect(decision.disks[0]).toMatchObject({ type: 'Full', reason: 'ChainComplete', tracked: true });
  });

  test('nothing that was not seen is ever incremental', () => {
    expect(decideDisks({ disks: [planned('root')] }, []).disks[0]).toMatchObject({
      type: 'Full',
      tracked: false,
    });
  });

  test('whatever is found, an incremental has a usable bitmap and good parent data, and every fallback is told', () => {
    const volume = fc.constantFrom('a', 'b', 'c');
    const disk = fc.record<ObservedDisk>({
      volume,
      trackable: fc.boolean(),
      bitmap: fc.constantFrom('usable', 'missing', 'inconsistent', 'unknown'),
      parentData: fc.constantFrom('good', 'missing', 'damaged', 'unknown'),
    });
    const plans = fc.uniqueArray(fc.tuple(volume, fc.constantFrom('Full' as const, 'Incremental' as const)), {
      selector: ([name]) => name,
    });
    fc.assert(
      fc.property(plans, fc.uniqueArray(disk, { selector: (found) => found.volume }), (plan, observed) => {
        const disks = plan.map(([name, type]) => planned(name, type));
        const decision = decideDisks({ disks }, observed);
        expect(decision.disks.map((each) => each.volume)).toEqual(disks.map((each) => each.volume));
        for (const each of decision.disks) {
          const found = observed.find((seen) => seen.volume === each.volume);
          const wanted = disks.find((seen) => seen.volume === each.volume);
          if (each.type === 'Incremental') {
            expect(wanted?.type).toBe('Incremental');
            expect(found).toMatchObject({ trackable: true, bitmap: 'usable', parentData: 'good' });
          }
          const fell = each.type === 'Full' && wanted?.type === 'Incremental';
          expect(decision.fallback?.disks.includes(each.volume) ?? false).toBe(fell);
        }
      }),
    );
  });
});
