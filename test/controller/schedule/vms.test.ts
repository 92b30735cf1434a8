import { describe, expect, test } from 'vitest';
import { scheduleEvents } from '../../../src/controller/schedule/events.ts';
import { scheduleStatus } from '../../../src/controller/schedule/status.ts';
import { firstVms, scheduledVms } from '../../../src/controller/schedule/vms.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { decideSchedule } from '../../../src/domain/schedule/decide-run.ts';
import { conditionOf } from '../../../src/kube/conditions.ts';
import { ago, backup, execution, failure, goodBackup, NOW, plan, schedule } from '../../domain/builders.ts';

const of = (vmName: string) => ({ spec: { vmName } });

function good(vmName: string, at: string): VMBackup {
  return goodBackup(`${vmName}-${at}`, { ...of(vmName), createdAt: at, execution: { completedAt: at } });
}

function failed(vmName: string, createdAt = ago(10)): VMBackup {
  const error = { ...failure, final: true };
  const status = { plan: plan(), execution: execution({ error }) };
  return backup({ name: `${vmName}-failed`, createdAt, ...of(vmName), status });
}

describe('how the VMs of a schedule fare', () => {
  test('whoever was never backed up comes first, then the oldest success', () => {
    const children = [good('web', ago(50)), good('db', ago(90)), good('db', ago(100))];
    expect(scheduledVms(['db', 'new', 'web'], children, [])).toEqual([
      { name: 'new' },
      { name: 'db', lastSuccessfulTime: ago(90) },
      { name: 'web', lastSuccessfulTime: ago(50) },
    ]);
  });

  test('is remembered when the objects are gone, and forgotten with the VM', () => {
    const before = [
      { name: 'db', lastSuccessfulTime: ago(90), lastFailure: 'TargetFull' },
      { name: 'gone', lastSuccessfulTime: ago(80) },
    ];
    expect(scheduledVms(['db'], [], before)).toEqual(before.slice(0, 1));
  });

  test('is bad when the newest backup failed, and good again when the next one does not', () => {
    const children = [failed('db', ago(30)), good('db', ago(90))];
    const [bad] = scheduledVms(['db'], children, []);
    expect(bad).toEqual({ name: 'db', lastSuccessfulTime: ago(90), lastFailure: 'CopyFailed' });
    expect(scheduledVms(['db'], [...children, good('db', ago(5))], [bad!])).toEqual([
      { name: 'db', lastSuccessfulTime: ago(5) },
    ]);
  });

  test('is told of a hundred at most', () => {
    const names = Array.from({ length: 300 }, (_, n) => `vm-${n}`);
    expect(firstVms(scheduledVms(names, [], []))).toHaveLength(100);
  });
});

test('VMs whose backups fail are named in a condition and in one event, until they do no longer', () => {
  const ran = schedule({}, { lastScheduleTime: '2026-11-23T18:00:00Z' });
  const vms = ['db', 'web'].map((name) => ({ metadata: { name } }));
  const after = (object: typeof ran, children: readonly VMBackup[]) => {
    const world = { schedule: object, vms, children };
    const decision = decideSchedule(world, NOW);
    const status = scheduleStatus(world, decision, new Date(NOW));
    const events = scheduleEvents(world, decision, [], status).map(({ reason }) => reason);
    return {
      next: { ...object, status },
      condition: conditionOf(status.conditions, 'BackupsFailing'),
      events,
    };
  };
  const first = after(ran, [failed('db'), good('web', ago(60))]);
  expect(first.condition).toMatchObject({
    status: 'True',
    message: expect.stringContaining("The last backup of 1 of 2 VMs failed: 'db' (CopyFailed)."),
  });
  expect(first.events).toEqual(['BackupsFailing']);
  expect(conditionOf(first.next.status.conditions, 'Ready')).toMatchObject({ status: 'True' });
  expect(after(first.next, [failed('db')]).events).toEqual([]);
  const well = after(first.next, [failed('db'), good('db', ago(1))]);
  expect([well.condition, well.events]).toEqual([undefined, []]);
});
