import { describe, expect, test } from 'vitest';
import { restoreStatus } from '../../../src/controller/restore/status.ts';
import type { VMRestore } from '../../../src/crds/vmrestore.ts';
import { planRestore } from '../../../src/domain/restore/plan.ts';
import type { RestoreStep, RestoreWorld } from '../../../src/domain/restore/step.ts';
import { writeJobName } from '../../../src/domain/restore/names.ts';
import type { ProgressEvent } from '../../../src/domain/mover-report.ts';
import { repository } from '../../domain/builders.ts';
import {
  claimsOnly,
  GiB,
  inPlace,
  inspection,
  newVM,
  restore,
  source,
  vm,
} from '../../domain/restore/builders.ts';

const NOW = new Date('2026-11-24T00:00:00Z');

function planned(target: VMRestore['spec']['target'], spec: Partial<VMRestore['spec']> = {}): RestoreWorld {
  const asked = restore(target, spec);
  const there = target.inPlace ? vm() : undefined;
  const plan = planRestore({
    restore: asked,
    source,
    inspection: inspection(),
    claims: new Map(),
    vm: there,
  });
  if ('reason' in plan) throw new Error(plan.message);
  return {
    ...{ restore: restore(target, spec, { plan }), backup: undefined, repository: repository() },
    ...{
      clusterId: 'c',
      jobs: new Map(),
      inspection: undefined,
      claims: new Map(),
      vm: there,
      vmi: undefined,
    },
  };
}

/** What `kubectl get tmr -o wide` and `kubectl describe` tell. */
function said(world: RestoreWorld, step: RestoreStep) {
  const { phase, conditions } = restoreStatus(world, step, NOW);
  const ready = conditions?.find(({ type }) => type === 'Ready');
  return { phase, status: ready?.status, reason: ready?.reason, message: ready?.message ?? '' };
}

test('the columns of a restore tell its size, how far it is, its rate and the seconds left', () => {
  const world = planned(claimsOnly);
  const { restore: before } = world;
  const startedAt = new Date(NOW.getTime() - 10_000).toISOString();
  const progress = { bytesDone: 5 * GiB } as ProgressEvent;
  const status = restoreStatus(
    {
      ...world,
      restore: { ...before, status: { ...before.status, startedAt } },
      jobs: new Map([[writeJobName(before, 'root'), { kind: 'Running', progress, lastLine: undefined }]]),
    },
    { kind: 'Writing' },
    NOW,
  );
  const { phase, size, percent, rate, secondsLeft } = status;
  expect({ phase, size, percent, rate, secondsLeft }).toEqual({
    ...{ phase: 'Writing', size: '20.0Gi', percent: 25, rate: '512.0Mi/s', secondsLeft: 30 },
  });
});

describe('what a restore says', () => {
  test('of a new VM: its disks, what it lacks, and how to start it', () => {
    const { message, ...rest } = said(planned(newVM, { volumes: ['root'] }), { kind: 'Succeed' });
    expect(rest).toEqual({ phase: 'Succeeded', status: 'True', reason: 'Succeeded' });
    expect(message).toBe(
      'Restored 10.0Gi: root to claim db-2-root, for VirtualMachine db-2, as of 2026-11-23T18:00:00Z. ' +
        'Left out: volume data: not restored, so the new VM does not have it; ' +
        'instancetype large: taken as it is today; what it was is not in the backup. ' +
        'The VM does not run (run strategy Halted): virtctl start db-2.',
    );
  });

  test('of a VM in place: which claims are kept, and nothing of a start when it runs again', () => {
    const { message } = said(planned(inPlace), { kind: 'Succeed' });
    expect(message).toContain('The disks of before are kept as claims db-root, db-data: delete them');
    expect(message).not.toContain('virtctl');
  });

  test('of claims alone: their names', () => {
    const { message } = said(planned(claimsOnly), { kind: 'Succeed' });
    expect(message).toContain('root to claim restored-root, data to claim restored-data');
    expect(message).not.toContain('virtctl');
  });

  test('that failed: first that it takes things back, then why, and not again that it goes on', () => {
    const world = planned(newVM);
    const why = { reason: 'TargetFull', message: 'Volume root: no room.' };
    expect(said(world, { kind: 'Fail', why })).toMatchObject({
      phase: 'Failed',
      status: 'Unknown',
      reason: 'Undoing',
      message: 'Takes back what it made. TargetFull: Volume root: no room.',
    });
    const { restore: before } = world;
    const failed = { ...world, restore: { ...before, status: { ...before.status, failure: why } } };
    const undo: RestoreStep = { kind: 'Undo', claims: [], startVm: undefined };
    expect(said(failed, undo)).toEqual({ phase: 'Failed', status: 'False', ...why });
  });

  test('that waits for a person: what to do', () => {
    const why = { reason: 'VMRunning', message: 'stop it' };
    const { conditions } = restoreStatus(planned(inPlace), { kind: 'Wait', why, needsPerson: true }, NOW);
    expect(conditions?.map(({ type, status }) => [type, status])).toContainEqual(['Stalled', 'True']);
  });
});
