import { expect, test } from 'vitest';
import type { Caches } from '../../../src/controller/caches.ts';
import { type Doomed, sweepArgs } from '../../../src/controller/upkeep/orders.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { SweepOrder } from '../../../src/domain/upkeep/sweep.ts';
import { goodBackup, repository } from '../../domain/builders.ts';

const CLUSTER = 'c'.repeat(36);
const pathOf = (vm: number, at: number) =>
  `${CLUSTER}/shop/database-${vm}-aaaaaaaa/202611${10 + (at % 20)}T000000Z-${String(at).padStart(8, '0')}`;

/** 16 VMs with 200 backups each; the oldest of each is to go. */
const all: readonly VMBackup[] = Array.from({ length: 3200 }, (_, at) =>
  goodBackup(`b${at}`, { plan: { path: pathOf(at % 16, at) } }),
);
const caches = { backups: { list: (of: (it: VMBackup) => boolean) => all.filter(of) } } as unknown as Caches;

function orderOf(scope: Doomed['scope']): SweepOrder {
  const doomed = all
    .slice(0, 16)
    .map((one) => ({ backup: one, path: one.status?.plan?.path ?? '', scope }) as const);
  const text = sweepArgs(caches, repository(), doomed, CLUSTER)[3] ?? '';
  // Linux: MAX_ARG_STRLEN.
  expect(text.length).toBeLessThan(131_072);
  return SweepOrder.parse(JSON.parse(text));
}

test('what goes alone is swept many at once, however many backups there are', () => {
  expect(orderOf('Nothing').backups).toHaveLength(16);
});

test('what takes others along is told all that stays beside it, as many at once as fit into an argument', () => {
  const { backups, keep } = orderOf('Chain');
  expect(backups.length).toBeGreaterThan(1);
  expect(keep).toHaveLength(backups.length * 199);
});

test('data that another VMBackup stands for, too, stays: it is not being deleted', () => {
  const [original] = all;
  const path = original?.status?.plan?.path ?? '';
  const copy = goodBackup('copy', { uid: 'copy', plan: { path } });
  const both = { backups: { list: () => [original, copy] } } as unknown as Caches;
  const args = sweepArgs(both, repository(), [{ backup: copy, path, scope: 'Nothing' }], CLUSTER);
  expect(SweepOrder.parse(JSON.parse(args[3] ?? '')).keep).toEqual([path]);
});
