import { describe, expect, test } from 'vitest';
import { childBackup } from '../../../src/controller/schedule/act.ts';
import { scheduleEvents } from '../../../src/controller/schedule/events.ts';
import { scheduleStatus } from '../../../src/controller/schedule/status.ts';
import type { VMBackupSchedule } from '../../../src/crds/vmbackupschedule.ts';
import { decideSchedule, type ScheduleWorld } from '../../../src/domain/schedule/decide-run.ts';
import { backup, goodBackup, NOW, schedule } from '../../domain/builders.ts';

const vms = [{ metadata: { name: 'db' } }, { metadata: { name: 'web' } }];

function after(
  object: VMBackupSchedule,
  changes: Partial<ScheduleWorld> = {},
  refused: readonly string[] = [],
) {
  const world = { schedule: object, vms, children: [], ...changes };
  const decision = decideSchedule(world, NOW);
  const status = scheduleStatus(world, decision, new Date(NOW));
  const events = scheduleEvents(world, decision, refused, status);
  return {
    next: { ...object, status },
    status,
    reasons: events.map(({ type, reason }) => `${type} ${reason}`),
    events,
  };
}

describe('the status of a schedule', () => {
  test('tells of the run and of the next one, and counts what was missed', () => {
    const { next, status, reasons } = after(schedule());
    expect(status).toMatchObject({
      lastScheduleTime: '2026-11-23T18:00:00Z',
      nextScheduleTime: '2026-11-23T19:00:00Z',
      matchedVMs: 2,
      missedRuns: 5,
      active: [],
      conditions: [
        {
          type: 'Ready',
          status: 'True',
          reason: 'Scheduled',
          message: "Backs up 2 VMs at '0 * * * *' (UTC).",
        },
      ],
    });
    expect(reasons).toEqual(['Normal RunStarted']);
    // Looking again at the same instant changes nothing.
    const again = after(next);
    expect(again.status).toEqual(status);
    expect(again.reasons).toEqual([]);
  });

  test('tells which backups run, and when one was last good', () => {
    const children = [
      backup({ name: 'run-2' }),
      backup({ name: 'run-1' }),
      goodBackup('done', { execution: { completedAt: '2026-11-23T17:10:00.5Z' } }),
      goodBackup('before', { execution: { completedAt: '2026-11-23T16:10:00Z' } }),
    ];
    const { status } = after(schedule({}, { lastScheduleTime: '2026-11-23T18:00:00Z' }), { children });
    expect(status).toMatchObject({
      active: ['run-1', 'run-2'],
      lastSuccessfulTime: '2026-11-23T17:10:00.5Z',
    });
  });

  test('remembers when one was last good, when that backup is gone', () => {
    const remembered = schedule({}, { lastSuccessfulTime: '2026-11-23T17:10:00Z' });
    expect(after(remembered).status.lastSuccessfulTime).toBe('2026-11-23T17:10:00Z');
  });

  test('says once what is wrong with it, and keeps what it knew', () => {
    const wrong = schedule({ schedule: '61 * * * *' }, { lastScheduleTime: '2026-11-23T17:00:00Z' });
    const { next, status, reasons } = after(wrong);
    expect(status).toMatchObject({
      lastScheduleTime: '2026-11-23T17:00:00Z',
      conditions: [{ type: 'Stalled' }, { type: 'Ready', status: 'False' }],
    });
    expect(status).not.toHaveProperty('nextScheduleTime');
    expect(reasons).toEqual(['Warning InvalidSchedule']);
    expect(after(next).reasons).toEqual([]);
  });

  test('says at each run that it has no VM', () => {
    const nobody = schedule({ vmNames: undefined, vmSelector: { matchLabels: { a: 'b' } } });
    const { next, reasons } = after(nobody);
    expect(reasons).toEqual(['Warning NoVMsMatched']);
    expect(after(next).reasons).toEqual([]);
    const nextHour = { ...next, status: { ...next.status, lastScheduleTime: '2026-11-23T17:00:00Z' } };
    expect(after(nextHour).reasons).toEqual(['Warning NoVMsMatched']);
  });

  test('tells of a name that is taken, and does not count it as a backup', () => {
    const { events } = after(schedule(), {}, ['taken']);
    expect(events).toMatchObject([
      { reason: 'RunStarted', note: 'The run of 2026-11-23T18:00:00.000Z has 1 backup.' },
      { type: 'Warning', reason: 'NameTaken', note: expect.stringContaining("'taken'") },
    ]);
  });
});

test('a backup of a schedule has its template, its labels, and no owner that could take it away', () => {
  expect(childBackup(schedule(), { name: 'n', vmName: 'db' })).toEqual({
    metadata: {
      namespace: 'shop',
      name: 'n',
      labels: { 'backup.tidemark.dev/schedule': 'hourly', 'backup.tidemark.dev/vm': 'db' },
    },
    spec: {
      vmName: 'db',
      type: 'Auto',
      repository: 'nas',
      fullEvery: 10,
      quiesce: 'IfAvailable',
      backoffLimit: 3,
      startDeadlineSeconds: 3600,
      whenStopped: 'Skip',
      priority: 0,
    },
  });
});
