import { expect, test } from 'vitest';
import type { RetentionSpec } from '../../../src/crds/retention.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { retentionStatus } from '../../../src/controller/retention/status.ts';
import { SCHEDULE_LABEL } from '../../../src/domain/labels.ts';
import { decideRetention } from '../../../src/domain/retention/decide-retention.ts';
import { ago, goodBackup, NOW, repository, schedule } from '../../domain/builders.ts';

const NIGHT = 86_400;

/** A night's backup of the schedule: on top of another one, or a full. */
function night(name: string, nightsAgo: number, on?: string, spec: Partial<VMBackup['spec']> = {}): VMBackup {
  const type = on === undefined ? 'Full' : 'Incremental';
  const parentPath = on === undefined ? {} : { parentPath: `c/shop/db-aaaaaaaa/${on}` };
  const at = ago(nightsAgo * NIGHT);
  const made = goodBackup(name, {
    spec,
    createdAt: at,
    plan: {
      type,
      bitmap: `backup-${Date.parse(at) / 1000}`,
      disks: [{ volume: 'root', type, reason: 'so', ...parentPath }],
    },
    execution: {
      pointInTime: at,
      disks: [{ volume: 'root', type, reason: 'so', tracked: true, storedBytes: 10 }],
    },
  });
  return { ...made, metadata: { ...made.metadata, labels: { [SCHEDULE_LABEL]: 'hourly' } } };
}

/** Two chains of two, and one on hold. */
const backups = [
  night('held', 9, undefined, { hold: true }),
  night('old-full', 4),
  night('old-leaf', 3, 'old-full'),
  night('full', 2),
  night('leaf', 1, 'full'),
];

function preview(retention: RetentionSpec, ready: 'True' | 'False' = 'True') {
  const world = { schedule: schedule({ retention }), backupsByVm: [backups], repository: repository(ready) };
  const decision = decideRetention(world, NOW)!;
  return { apply: decision.apply, status: retentionStatus(decision, undefined) };
}

const says = { kept: 2, carriers: 1, removable: 2, removableBytes: 20 };

test('the status says which points each rule keeps, which only carry others, and how many bytes go', () => {
  const { apply, status } = preview({ keepLast: 1, dryRun: false });
  expect(apply).toBe(true);
  expect(status).toMatchObject({ reason: 'Applied', ...says });
  expect(Object.fromEntries(status.keep?.map(({ name, reasons }) => [name, reasons]) ?? [])).toEqual({
    held: expect.stringMatching(/^Hold/),
    full: expect.stringMatching(/^CarriesOthers/),
    leaf: expect.stringMatching(/NewestGood.*KeepLast/),
  });
  expect(status.remove?.map(({ name }) => name).sort()).toEqual(['old-full', 'old-leaf']);
});

test('with dryRun it says just the same, and nothing is removed', () => {
  const { apply, status } = preview({ keepLast: 1, dryRun: true });
  expect(apply).toBe(false);
  expect(status).toMatchObject({ reason: 'DryRun', ...says });
});

test('while the repository is away nothing is removed, and it says why', () => {
  const { apply, status } = preview({ keepLast: 1, dryRun: false }, 'False');
  expect(apply).toBe(false);
  expect(status).toMatchObject({ reason: 'RepositoryNotReady', ...says });
});
