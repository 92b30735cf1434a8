import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Execution, Plan, VMBackup } from '../../src/crds/vmbackup.ts';
import { attemptRecords } from '../../src/domain/attempt-records.ts';
import { bitmapSeconds } from '../../src/domain/bitmap-name.ts';
import { decideBackup } from '../../src/domain/decide-backup.ts';
import { outcomeOf } from '../../src/domain/outcome.ts';
import { backup, failure, NOW, VM_UID, virtualMachine, world } from './builders.ts';

/** What may happen to one backup, from its plan to its end. */
const end = fc.constantFrom(
  'good',
  'good',
  'good',
  'failed',
  'fell back',
  'partly fell back',
  'untracked',
  'retried',
);
const step = fc.record({
  end,
  repository: fc.constantFrom('nas', 'nas', 'attic'),
  secondsLater: fc.integer({ min: -100, max: 5000 }),
  vmReplaced: fc.constantFrom(false, false, false, false, true),
  newestDeleted: fc.constantFrom(false, false, false, true),
});

interface Good {
  readonly name: string;
  readonly repository: string;
  readonly vmUid: string;
  readonly chain: Plan['chain'];
  readonly bitmap: string | undefined;
}

function executed(plan: Plan, end: string): Execution {
  const type = (volume: string, planned: 'Full' | 'Incremental') =>
    end === 'fell back' || (end === 'partly fell back' && volume === 'root') ? 'Full' : planned;
  return {
    attempt: plan.attempt,
    agent: plan.nodeName,
    startedAt: '2026-11-23T18:00:00Z',
    completedAt: '2026-11-23T18:00:01Z',
    ...(end === 'untracked' ? {} : { bitmapCreated: plan.bitmap }),
    disks: plan.disks.map((disk) => ({
      ...disk,
      type: type(disk.volume, disk.type),
      tracked: end !== 'untracked',
    })),
    ...(end === 'failed' ? { error: { ...failure, final: true } } : {}),
  };
}

test('whatever comes of the backups before, a backup builds on the newest good one or stands alone', () => {
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 6 }),
      (steps, fullEvery) => {
        let objects: VMBackup[] = [];
        let goods: Good[] = [];
        let now = NOW;
        let vmUid = VM_UID;
        const bitmaps: string[] = [];
        for (const [i, { end, repository, secondsLater, vmReplaced, newestDeleted }] of steps.entries()) {
          now += secondsLater * 1000;
          if (vmReplaced) vmUid = `vm-${i}`;
          const vm = { ...virtualMachine, metadata: { ...virtualMachine.metadata, uid: vmUid } };
          if (newestDeleted) {
            const gone = goods.at(-1)?.name;
            goods = goods.slice(0, -1);
            objects = objects.filter(({ metadata }) => metadata.name !== gone);
          }
          const spec = { repository, fullEvery };
          let me = backup({ name: `b${i}`, createdAt: new Date(now).toISOString(), spec });
          const planned = (): Plan => {
            const claims = ['root', 'data'].map((name) => ({ metadata: { name, uid: `claim-${name}` } }));
            const volumes = claims.map(({ metadata }) => ({
              name: metadata.name,
              persistentVolumeClaim: { claimName: metadata.name },
            }));
            const running = {
              metadata: { name: 'db', uid: 'vmi' },
              spec: { volumes },
              status: { phase: 'Running', nodeName: 'n1' },
            };
            const decision = decideBackup(
              world({ backup: me, backups: [...objects, me], vm, vmi: running, claims }),
              now,
            );
            if (decision.kind !== 'Plan') throw new Error(`expected a plan, got ${decision.kind}`);
            bitmaps.push(decision.plan.bitmap);
            return decision.plan;
          };
          let plan = planned();
          if (end === 'retried') {
            const execution = {
              ...executed(plan, 'good'),
              completedAt: new Date(now).toISOString(),
              error: failure,
            };
            const attempts = [...attemptRecords({ status: { plan, execution } }, undefined, new Date(now))];
            me = { ...me, status: { plan, execution, attempts } };
            now += 3_600_000;
            plan = planned();
            expect(plan.attempt).toBe(2);
          }

          const newest = goods.findLast((good) => good.repository === repository);
          if (plan.type === 'Incremental') {
            // The parent is the newest good backup of this very VM in this repository, and the position counts up by one.
            expect(plan.parent).toEqual({ name: newest?.name, bitmap: newest?.bitmap });
            expect(newest?.vmUid).toBe(vmUid);
            expect(plan.chain).toEqual({ id: newest?.chain.id, position: (newest?.chain.position ?? 0) + 1 });
            expect(plan.chain.position).toBeLessThan(fullEvery);
            expect(plan.disks.some((disk) => disk.type === 'Incremental')).toBe(true);
          } else {
            expect(plan).not.toHaveProperty('parent');
            expect(plan.chain).toEqual({ id: me.metadata.uid, position: 0 });
            expect(plan.disks.every((disk) => disk.type === 'Full' && disk.parentPath === undefined)).toBe(
              true,
            );
            // A full is never taken without need.
            const needed =
              newest?.bitmap === undefined ||
              newest.vmUid !== vmUid ||
              newest.chain.position + 1 >= fullEvery;
            expect(needed).toBe(true);
          }

          const execution = executed(plan, end);
          objects.push({ ...me, status: { plan, execution } });
          if (end !== 'failed') {
            const { chain } = outcomeOf(plan, execution, me.metadata.uid);
            goods.push({
              name: me.metadata.name,
              repository,
              vmUid: vmUid,
              chain,
              bitmap: execution.bitmapCreated,
            });
          }
        }
        // Bitmap names rise as long as no record of a higher one was deleted; two that exist at once never share a name.
        const kept = objects.map(({ status }) => bitmapSeconds(status?.plan?.bitmap ?? '') ?? -1);
        for (const [i, second] of kept.entries())
          if (i > 0) expect(second).toBeGreaterThan(kept[i - 1] ?? -1);
        if (steps.every(({ newestDeleted }) => !newestDeleted))
          expect(new Set(bitmaps).size).toBe(bitmaps.length);
      },
    ),
    { numRuns: 300 },
  );
});
