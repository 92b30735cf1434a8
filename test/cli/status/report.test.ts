import { describe, expect, test } from 'vitest';
import { statusReport } from '../../../src/cli/status/report.ts';
import type { VmStatus } from '../../../src/cli/status/vm-status.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { VMBackupSchedule } from '../../../src/crds/vmbackupschedule.ts';
import { ago, backup, execution, failure, goodBackup, NOW, plan, VM_UID } from '../../domain/builders.ts';
import { schedule } from '../builders.ts';

const db = { metadata: { name: 'db', namespace: 'shop', uid: VM_UID, labels: { tier: 'gold' } } };
const nightly = schedule('nightly');

/** How `db` stands. */
function statusOf(
  backups: readonly VMBackup[],
  schedules: readonly VMBackupSchedule[] = [nightly],
): VmStatus {
  return statusReport({ vms: [db], schedules, backups }, NOW)[0]!;
}

const failed = (name: string, at: string) =>
  backup({
    name,
    status: { plan: plan(), execution: execution({ completedAt: at, error: { ...failure, final: true } }) },
  });

describe('a VM is protected', () => {
  test.each<[string, readonly VMBackupSchedule[], VmStatus['protectedBy'], VmStatus['needs']]>([
    [
      'by a schedule that names it',
      [nightly],
      [{ schedule: 'nightly', state: 'Active', nextRun: '2026-11-24T02:00:00.000Z' }],
      [],
    ],
    [
      'by a schedule whose selector matches it',
      [schedule('gold', { vmSelector: { matchLabels: { tier: 'gold' } } })],
      [{ schedule: 'gold', state: 'Active', nextRun: '2026-11-24T02:00:00.000Z' }],
      [],
    ],
    ['by nothing', [], [], ['Unprotected']],
    [
      'by nothing, when only a selector for others is there',
      [schedule('tin', { vmSelector: { matchLabels: { tier: 'tin' } } })],
      [],
      ['Unprotected'],
    ],
    [
      'by nothing, when the schedule sleeps',
      [schedule('nightly', { suspend: true })],
      [{ schedule: 'nightly', state: 'Suspended' }],
      ['Unprotected'],
    ],
    [
      'by nothing, when the time zone is unknown',
      [schedule('nightly', { timeZone: 'Mars/Olympus' })],
      [{ schedule: 'nightly', state: 'Invalid' }],
      ['Unprotected'],
    ],
    [
      'by nothing, when the day never comes',
      [schedule('nightly', { schedule: '0 0 31 2 *' })],
      [{ schedule: 'nightly', state: 'Invalid' }],
      ['Unprotected'],
    ],
    [
      'by the one schedule that is awake',
      [schedule('nightly', { suspend: true }), schedule('hourly', { schedule: '0 * * * *' })],
      [
        { schedule: 'hourly', state: 'Active', nextRun: '2026-11-23T19:00:00.000Z' },
        { schedule: 'nightly', state: 'Suspended' },
      ],
      [],
    ],
    [
      'by nothing, when the schedule of another namespace names it',
      [{ ...nightly, metadata: { ...nightly.metadata, namespace: 'zoo' } }],
      [],
      ['Unprotected'],
    ],
    [
      'by nothing, when the schedule is being deleted',
      [{ ...nightly, metadata: { ...nightly.metadata, deletionTimestamp: ago(1) } }],
      [],
      ['Unprotected'],
    ],
  ])('%s', (_, schedules, protectedBy, needs) => {
    const status = statusOf([goodBackup('good')], schedules);
    expect(status.protectedBy).toEqual(protectedBy);
    expect(status.needs).toEqual(needs);
  });

  test('and its next run is the first of all its schedules', () => {
    const schedules = [nightly, schedule('hourly', { schedule: '0 * * * *' })];
    expect(statusOf([], schedules).nextRun).toBe('2026-11-23T19:00:00.000Z');
  });
});

describe('the last good backup', () => {
  const older = goodBackup('older', { plan: { bitmap: 'backup-1' } });
  const newer = goodBackup('newer', {
    plan: { bitmap: 'backup-2', type: 'Incremental', chain: { id: 'c', position: 3 } },
    execution: {
      pointInTime: ago(25),
      disks: [{ volume: 'root', type: 'Incremental', reason: 'ChangedSinceParent', tracked: true }],
    },
  });
  const elsewhere = goodBackup('elsewhere', {
    spec: { repository: 'other' },
    plan: { bitmap: 'backup-1' },
    execution: { pointInTime: ago(5) },
  });
  const another = goodBackup('another', { plan: { vmUid: 'of the VM before' } });
  const doomed = goodBackup('doomed', { deletedAt: ago(1) });

  test.each<[string, readonly VMBackup[], string | undefined]>([
    ['is none without backups', [], undefined],
    ['is the newest', [older, newer], 'newer'],
    ['is the newest, in whichever repository', [older, newer, elsewhere], 'elsewhere'],
    ['is not a later one that failed', [older, failed('bad', ago(1))], 'older'],
    ['is not one of an earlier VM of the same name', [another], undefined],
    ['is not one that is being deleted', [doomed], undefined],
    ['is not one that still runs', [backup({ status: { plan: plan() } })], undefined],
    ['is not one of another VM', [goodBackup('web', { spec: { vmName: 'web' } })], undefined],
  ])('%s', (_, backups, expected) => {
    const status = statusOf(backups);
    expect(status.lastGood?.name).toBe(expected);
    expect(status.needs).toEqual(expected === undefined ? ['NoGoodBackup'] : []);
  });

  test('tells its instant, type and position', () => {
    const expected = { name: 'newer', at: ago(25), type: 'Incremental', position: 3, repository: 'nas' };
    expect(statusOf([newer]).lastGood).toEqual(expected);
  });

  test('is full when every disk fell back to a full', () => {
    const fallen = goodBackup('fallen', {
      plan: { type: 'Incremental', chain: { id: 'c', position: 3 } },
      execution: { disks: [{ volume: 'root', type: 'Full', reason: 'BitmapMissing', tracked: true }] },
    });
    expect(statusOf([fallen]).lastGood).toMatchObject({ type: 'Full', position: 0 });
  });
});

describe('the last failure', () => {
  test('is the newest, with its reason', () => {
    const { lastFailure } = statusOf([failed('first', ago(500)), failed('second', ago(400))]);
    const { reason, message } = failure;
    expect(lastFailure).toEqual({ name: 'second', at: ago(400), reason, message, isOvercome: false });
  });

  test('is overcome by a good backup after it', () => {
    const { lastFailure } = statusOf([failed('bad', ago(400)), goodBackup('good')]);
    expect(lastFailure).toMatchObject({ name: 'bad', isOvercome: true });
  });

  test('is not overcome by a good backup before it', () => {
    const { lastFailure } = statusOf([failed('bad', ago(4)), goodBackup('good')]);
    expect(lastFailure).toMatchObject({ name: 'bad', isOvercome: false });
  });
});

describe('what goes on now', () => {
  const waits = backup({
    name: 'waits',
    createdAt: ago(100),
    status: {
      conditions: [
        {
          type: 'Reconciling',
          status: 'True',
          reason: 'VMNotRunning',
          message: 'start it.',
          lastTransitionTime: ago(90),
        },
      ],
    },
  });
  const runs = backup({
    name: 'runs',
    status: {
      plan: plan(),
      execution: {
        attempt: 1,
        agent: 'n1',
        startedAt: ago(5),
        progress: { percent: 42, doneBytes: 42, totalBytes: 100 },
      },
    },
  });

  test.each<[string, readonly VMBackup[], VmStatus['current']]>([
    ['is nothing when all is over', [goodBackup('good'), failed('bad', ago(9))], undefined],
    [
      'is what waits, and why',
      [waits],
      { name: 'waits', state: 'Pending', reason: 'VMNotRunning', message: 'start it.' },
    ],
    ['is what runs, before what waits', [waits, runs], { name: 'runs', state: 'Running', percent: 42 }],
    ['is what an agent was given', [backup({ status: { plan: plan() } })], { name: 'b', state: 'Assigned' }],
    ['is what is new', [backup()], { name: 'b', state: 'Pending' }],
    [
      'is what is tried again',
      [backup({ status: { plan: plan(), execution: execution({ error: failure }) } })],
      { name: 'b', state: 'Retrying', reason: 'CopyFailed', message: 'The disk is full.' },
    ],
  ])('%s', (_, backups, expected) => {
    expect(statusOf(backups).current).toEqual(expected);
  });
});

describe('VMs that are not there', () => {
  test('are shown for their backups, and need nothing', () => {
    const report = statusReport({ vms: [], schedules: [], backups: [goodBackup('good')] }, NOW);
    expect(report).toMatchObject([{ vm: 'db', exists: false, needs: [], lastGood: { name: 'good' } }]);
  });

  test('are shown when a schedule lists them', () => {
    const report = statusReport({ vms: [], schedules: [nightly], backups: [] }, NOW);
    expect(report).toMatchObject([{ vm: 'db', exists: false, protectedBy: [{ schedule: 'nightly' }] }]);
  });
});

test('VMs of the same name in two namespaces are two VMs, sorted', () => {
  const other = { metadata: { name: 'db', namespace: 'zoo', uid: 'other' } };
  const report = statusReport({ vms: [other, db], schedules: [nightly], backups: [goodBackup('good')] }, NOW);
  expect(report.map(({ namespace, vm, needs }) => [namespace, vm, needs])).toEqual([
    ['shop', 'db', []],
    ['zoo', 'db', ['Unprotected', 'NoGoodBackup']],
  ]);
});
