import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Execution, Plan, VMBackup } from '../../src/crds/vmbackup.ts';
import { attemptRecords } from '../../src/domain/attempt-records.ts';
import { decideBackup } from '../../src/domain/decide-backup.ts';
import { obsoleteBitmaps } from '../../src/domain/obsolete-bitmaps.ts';
import { agent, ago, backup, execution, failure, goodBackup, NOW, plan, world } from './builders.ts';

const good = (second: number, parts: Parameters<typeof goodBackup>[1] = {}) =>
  goodBackup(`good-${second}`, {
    ...parts,
    plan: { bitmap: `backup-${second}` },
    execution: { bitmapCreated: `backup-${second}` },
  });

const failed = (second: number, ended: Partial<Execution>, planned: Partial<Plan> = {}) =>
  backup({
    name: `failed-${second}`,
    status: {
      plan: plan({ bitmap: `backup-${second}`, ...planned }),
      execution: execution({ bitmapCreated: undefined, error: failure, ...ended }),
    },
  });

describe('the bitmaps that a commit makes obsolete', () => {
  test.each<[string, readonly VMBackup[], readonly string[]]>([
    ['none, for the first backup', [], []],
    [
      'that of the head, and of the one before, which may have been left when the VM stopped',
      [good(1), good(2), good(3)],
      ['backup-3', 'backup-2'],
    ],
    [
      'never the head of another repository',
      [good(1), good(9, { spec: { repository: 'attic' } })],
      ['backup-1'],
    ],
    ['none of another VM', [good(1), good(9, { spec: { vmName: 'web' } })], ['backup-1']],
    ['none of a failed attempt that removed its own', [good(1), failed(2, {})], ['backup-1']],
    [
      'that of a failed attempt that could not remove its own',
      [good(1), failed(2, { bitmapCreated: 'backup-2' })],
      ['backup-2', 'backup-1'],
    ],
    [
      'that of an attempt whose agent told nothing of its end',
      [good(1), failed(2, { error: undefined, completedAt: undefined })],
      ['backup-2', 'backup-1'],
    ],
    [
      'that of a plan about which no agent told anything',
      [good(1), failed(2, { attempt: 1 }, { attempt: 2 })],
      ['backup-2', 'backup-1'],
    ],
    [
      'those that a failed backup was to remove, had it been committed',
      [good(1), failed(5, {}, { obsoleteBitmaps: ['backup-4', 'backup-1'] })],
      ['backup-4', 'backup-1'],
    ],
  ])('are %s', (_, backups, expected) => {
    expect(obsoleteBitmaps(backup(), backups)).toEqual(expected);
  });

  test('include those of its own earlier attempts, however many there were', () => {
    const first = backup({ status: { plan: plan({ bitmap: 'backup-5', obsoleteBitmaps: ['backup-4'] }) } });
    expect(obsoleteBitmaps(first, [good(1), first])).toEqual(['backup-5', 'backup-4', 'backup-1']);
  });

  test('are the newest when there are more than a plan can hold', () => {
    const many = Array.from({ length: 50 }, (_, i) =>
      failed(100 + i, { bitmapCreated: `backup-${100 + i}` }),
    );
    const names = obsoleteBitmaps(backup(), [good(1), ...many]);
    expect(names).toHaveLength(32);
    expect(names[0]).toBe('backup-149');
  });
});

/** What comes of one backup, attempt by attempt; the last one decides. */
const attempts = fc.array(fc.constantFrom('failed', 'failed and left its bitmap', 'agent lost'), {
  maxLength: 3,
});
const step = fc.record({
  attempts,
  end: fc.constantFrom('committed', 'committed', 'committed as the VM stopped', 'failed for good'),
  repository: fc.constantFrom('nas', 'attic'),
  full: fc.boolean(),
});

test('whatever fails, each commit leaves only the heads of the chains on the disks, and never takes one away', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 7 }), (steps) => {
      const objects: VMBackup[] = [];
      /** Bitmap → the repository whose backup made it. */
      const onDisk = new Map<string, string>();
      const stopped = new Set<string>();
      const heads = new Map<string, string>();
      let now = NOW;
      for (const [i, { attempts, end, repository, full }] of steps.entries()) {
        const createdAt = new Date(now).toISOString();
        const spec = { repository, type: full ? ('Full' as const) : ('Auto' as const), backoffLimit: 20 };
        let me = backup({ name: `b${i}`, createdAt, spec });
        const planned = (): Plan => {
          now += 3_600_000;
          const agents = [agent({ seenAt: now })];
          const lost = me.status?.execution?.completedAt === undefined ? [agent({ seenAt: 0 })] : agents;
          const waiting = world({ backup: me, backups: [...objects, me], agents: me.status ? lost : agents });
          const decision = decideBackup(waiting, now);
          if (decision.kind !== 'Plan') throw new Error(`expected a plan, got ${JSON.stringify(decision)}`);
          return decision.plan;
        };
        const ran = (plan: Plan, how: string): VMBackup => {
          const left = how !== 'failed';
          if (left) onDisk.set(plan.bitmap, repository);
          const told =
            how === 'agent lost' ? {} : { completedAt: new Date(now).toISOString(), error: failure };
          const bitmap = left ? { bitmapCreated: plan.bitmap } : {};
          const execution = { attempt: plan.attempt, agent: 'n1', startedAt: ago(0), ...bitmap, ...told };
          const attempts = [...attemptRecords({ status: { plan, execution } }, undefined, new Date(now))];
          return { ...me, status: { plan, execution, attempts } };
        };
        for (const how of attempts) me = ran(planned(), how);
        const plan = planned();
        if (end === 'failed for good') {
          me = ran(plan, 'failed and left its bitmap');
          const error = { ...failure, final: true };
          objects.push({ ...me, status: { plan, execution: { ...me.status!.execution!, error } } });
          continue;
        }
        onDisk.set(plan.bitmap, repository);
        heads.set(repository, plan.bitmap);
        if (end === 'committed') {
          const obsolete = [...(plan.obsoleteBitmaps ?? []), ...(plan.parent ? [plan.parent.bitmap] : [])];
          for (const name of obsolete) onDisk.delete(name);
        }
        const done = execution({ attempt: plan.attempt, bitmapCreated: plan.bitmap });
        objects.push({ ...me, status: { plan, execution: done } });
        expect([...onDisk.keys()]).toEqual(expect.arrayContaining([...heads.values()]));
        // A VM that stopped too soon keeps what its next commit removes, as far back as the good backup before.
        if (end !== 'committed') stopped.add(repository);
        const left = [...onDisk].filter(([, owner]) => owner === repository).map(([name]) => name);
        if (!stopped.has(repository)) expect(left).toEqual([plan.bitmap]);
      }
    }),
    { numRuns: 200 },
  );
});
