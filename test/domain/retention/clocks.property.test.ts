import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { SCHEDULE_LABEL } from '../../../src/domain/labels.ts';
import { decideRetention } from '../../../src/domain/retention/decide-retention.ts';
import type { RetentionPolicy } from '../../../src/domain/retention/policy.ts';
import { goodBackup, NOW, repository, schedule } from '../builders.ts';

const DAY_MS = 86_400_000;

/** One backup a day, the last one an hour ago; each node's clock was off by so many days when it was taken. */
function daily(clockErrors: readonly number[]): readonly VMBackup[] {
  return clockErrors.map((error, index) => {
    const at = NOW - 3_600_000 - (clockErrors.length - 1 - index) * DAY_MS;
    const pointInTime = new Date(at + error * DAY_MS).toISOString();
    const made = goodBackup(`b${String(index).padStart(2, '0')}`, {
      createdAt: new Date(at).toISOString(),
      plan: { bitmap: `backup-${Math.floor(at / 1000)}` },
      execution: { startedAt: pointInTime, pointInTime },
    });
    return { ...made, metadata: { ...made.metadata, labels: { [SCHEDULE_LABEL]: 'hourly' } } };
  });
}

function removed(backups: readonly VMBackup[], retention: RetentionPolicy): readonly string[] {
  const world = {
    schedule: schedule({ retention: { dryRun: false, ...retention } as never }),
    backupsByVm: [backups],
    repository: repository(),
  };
  return (decideRetention(world, NOW)?.remove ?? []).map(({ name }) => name).sort();
}

const policy: fc.Arbitrary<RetentionPolicy> = fc.record(
  {
    keepLast: fc.integer({ min: 1, max: 3 }),
    keepDaily: fc.integer({ min: 1, max: 5 }),
    keepWithin: fc.constantFrom('2d', '1w', '1m'),
  },
  { requiredKeys: [] },
);

describe('a clock that is wrong costs no backups', () => {
  test('one that was a year ahead for the newest backup makes nothing else old', () => {
    expect(removed(daily([0, 0, 0, 0, 365]), { keepWithin: '30d' })).toEqual([]);
  });
  test('nor does it make what is taken after it older than it', () => {
    expect(removed(daily([0, 0, 365, 0, 0]), { keepLast: 1 })).not.toContain('b04');
  });
  test('property: the backup that was planned last is kept, whatever the clocks said', () => {
    const errors = fc.array(fc.constantFrom(0, 0, 0, 365, -365, 3650), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(errors, policy, (clockErrors, rules) => {
        const backups = daily(clockErrors);
        expect(removed(backups, rules)).not.toContain(backups.at(-1)?.metadata.name);
      }),
    );
  });
  test('property: a clock that is ahead once removes nothing that a right one keeps', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 9 }),
        fc.constantFrom('3d6h', '1w6h', '1m'),
        (wrong, keepWithin) => {
          const right = Array.from({ length: 10 }, () => 0);
          const one = right.map((_, index) => (index === wrong ? 365 : 0));
          const kept = removed(daily(right), { keepWithin });
          expect(removed(daily(one), { keepWithin }).filter((name) => !kept.includes(name))).toEqual([]);
        },
      ),
    );
  });
});
