import { describe, expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { scheduledLabels } from '../../../src/domain/labels.ts';
import { decideSchedule } from '../../../src/domain/schedule/decide-run.ts';
import { runName, slotRunId } from '../../../src/domain/schedule/run-name.ts';
import { backup, goodBackup, schedule } from '../builders.ts';

const SLOT = Date.parse('2026-11-23T18:00:00Z');

const vms = [{ metadata: { name: 'db' } }, { metadata: { name: 'web' } }];

function child(vmName: string, slot: number, over = false): VMBackup {
  const name = runName('hourly', vmName, slotRunId(slot));
  const made = over ? goodBackup(name, { spec: { vmName } }) : backup({ name, spec: { vmName } });
  return { ...made, metadata: { ...made.metadata, labels: { ...scheduledLabels('hourly', vmName) } } };
}

describe('a schedule', () => {
  test('makes one backup for each VM when its slot comes', () => {
    expect(decideSchedule({ schedule: schedule(), vms, children: [] }, SLOT)).toEqual({
      kind: 'Scheduled',
      run: {
        slot: SLOT,
        isManual: false,
        begins: true,
        children: ['db', 'web'].map((vmName) => ({
          name: runName('hourly', vmName, slotRunId(SLOT)),
          vmName,
        })),
        leftOut: [],
        stopped: [],
        tooLate: [],
        rest: undefined,
        nextAt: undefined,
      },
      token: undefined,
      effective: '0 * * * * (UTC)',
      next: SLOT + 3_600_000,
      missed: 5,
      matched: ['db', 'web'],
      missing: [],
    });
  });

  test('leaves out VMs that do not run, when it is told to skip them, and says which', () => {
    const stopped = [{ metadata: { name: 'db' }, isStopped: true }, vms[1]!];
    const told = schedule();
    const of = (whenStopped: 'Backup' | 'Skip') => {
      const template = { ...told.spec.template, whenStopped };
      const world = { schedule: { ...told, spec: { ...told.spec, template } }, vms: stopped, children: [] };
      return decideSchedule(world, SLOT);
    };
    expect(of('Skip')).toMatchObject({ run: { children: [{ vmName: 'web' }], stopped: ['db'] } });
    expect(of('Backup')).toMatchObject({
      run: { children: [{ vmName: 'db' }, { vmName: 'web' }], stopped: [] },
    });
  });

  test('makes nothing between its slots', () => {
    const ran = schedule({}, { lastScheduleTime: '2026-11-23T18:00:00Z' });
    expect(decideSchedule({ schedule: ran, vms, children: [] }, SLOT + 1000)).toMatchObject({
      run: undefined,
      missed: 0,
    });
  });

  test('leaves out a VM whose last backup still runs, and only that one', () => {
    const children = [child('db', SLOT - 3_600_000), child('web', SLOT - 3_600_000, true)];
    expect(decideSchedule({ schedule: schedule(), vms, children }, SLOT)).toMatchObject({
      run: {
        children: [{ vmName: 'web' }],
        leftOut: [{ vmName: 'db', running: runName('hourly', 'db', slotRunId(SLOT - 3_600_000)) }],
      },
    });
  });

  test('goes on with a run that was begun: its own backups are no reason to leave a VM out', () => {
    const decision = decideSchedule(
      { schedule: schedule(), vms, children: [child('db', SLOT)] },
      SLOT + 5000,
    );
    expect(decision).toMatchObject({
      run: { slot: SLOT, children: [{ vmName: 'db' }, { vmName: 'web' }], leftOut: [] },
    });
  });

  test('tells of names that no VM bears, and backs the others up', () => {
    const decision = decideSchedule(
      { schedule: schedule({ vmNames: ['db', 'ghost'] }), vms, children: [] },
      SLOT,
    );
    expect(decision).toMatchObject({
      run: { children: [{ vmName: 'db' }] },
      matched: ['db'],
      missing: ['ghost'],
    });
  });

  test('runs with no VM at all: the slot is over and not tried again', () => {
    const none = schedule({ vmNames: undefined, vmSelector: { matchLabels: { a: 'b' } } });
    expect(decideSchedule({ schedule: none, vms, children: [] }, SLOT)).toMatchObject({
      run: { slot: SLOT, children: [] },
      matched: [],
    });
  });

  test.each([
    [{ schedule: 'never' }, 'InvalidSchedule'],
    [{ schedule: '0 0 31 2 *' }, 'InvalidSchedule'],
    [{ timeZone: 'Mars/Base' }, 'InvalidTimeZone'],
  ])('that cannot be read is invalid: %j', (spec, reason) => {
    expect(decideSchedule({ schedule: schedule(spec), vms, children: [] }, SLOT)).toMatchObject({
      kind: 'Invalid',
      why: { reason },
    });
  });
});
