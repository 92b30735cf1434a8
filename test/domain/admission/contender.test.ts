import { describe, expect, test } from 'vitest';
import { contenderOf } from '../../../src/domain/admission/contender.ts';
import { obstacleOf } from '../../../src/domain/gates.ts';
import { decideBackup, waitingSinceAfter } from '../../../src/domain/decide-backup.ts';
import {
  ago,
  agent,
  backup,
  goodBackup,
  instance,
  NOW,
  plan,
  repository,
  repositorySpec,
  world,
} from '../builders.ts';

const narrow = {
  ...repository(),
  spec: repositorySpec({ maxConcurrentBackups: 1, maxConcurrentBackupsPerNamespace: 5 }),
};
const surroundings = {
  repository: narrow,
  vmi: instance(),
  agentOn: (nodeName: string) => agent({ nodeName, maxBackups: 2 }),
};

function waiting(reason: string, at = ago(5)) {
  const condition = {
    type: 'Reconciling',
    status: 'True',
    reason,
    message: 'so',
    lastTransitionTime: at,
  } as const;
  return { conditions: [condition] };
}

const assigned = backup({
  name: 'other',
  spec: { vmName: 'web' },
  status: { plan: plan({ nodeName: 'n7' }) },
});
const me = backup({ name: 'me' });
const contenders = [assigned, me].flatMap((it) => contenderOf(it, surroundings, it === me) ?? []);
const busy = { repository: narrow, contenders };

describe('in the admission', () => {
  test('a backup that runs holds its slots where it was planned', () => {
    const keys = contenderOf(assigned, surroundings, false)?.claims.map(({ key }) => key);
    expect(keys).toEqual(['repository/nas', 'namespace/nas/shop', 'node/n7']);
  });

  test.each([
    ['one that is over takes no part', goodBackup('done'), false],
    ['one that waits for its VM holds up nobody', backup({ status: waiting('VMNotRunning') }), false],
    ['one that waits for its turn does', backup({ status: waiting('Queued') }), true],
    ['one that nobody has looked at does', backup(), true],
    ['one that is being deleted does not', backup({ deletedAt: ago(1) }), false],
  ])('%s', (_, object, takesPart) => {
    expect(contenderOf(object, surroundings, false) !== undefined).toBe(takesPart);
  });
});

describe('a backup whose turn it is not', () => {
  test('says its place and what is full', () => {
    expect(obstacleOf(world({ ...busy, backup: me }), NOW)).toMatchObject({
      reason: 'Queued',
      message:
        "Queued: 1st of 1 for repository 'nas'; 1 of 1 backups run in it (its spec.maxConcurrentBackups).",
    });
  });

  test('waits beyond its deadline, and the deadline begins when it has its turn', () => {
    const late = backup({ name: 'me', createdAt: ago(100_000), status: waiting('Queued') });
    expect(decideBackup(world({ ...busy, backup: late }), NOW)).toMatchObject({ kind: 'Wait' });
    // Its turn comes, and just then the VM is stopped: it waits for an hour, and not for ever.
    const stopped = world({ backup: late, vmi: undefined });
    const decision = decideBackup(stopped, NOW);
    expect(decision).toMatchObject({ kind: 'Wait', why: { reason: 'VMNotRunning' } });
    const waitingSince = waitingSinceAfter(late, decision, new Date(NOW));
    const then = { ...late, status: { ...waiting('VMNotRunning'), waitingSince } };
    expect(decideBackup({ ...stopped, backup: then }, NOW + 3_599_000)).toMatchObject({ kind: 'Wait' });
    expect(decideBackup({ ...stopped, backup: then }, NOW + 3_600_000)).toMatchObject({
      kind: 'Failed',
      why: { reason: 'StartDeadlineExceeded' },
    });
  });
});

describe('a backup does not begin', () => {
  const window = { start: '22:00', end: '06:00', timeZone: 'UTC' }; // NOW is 18:00
  test('outside its window, and is looked at again when it opens', () => {
    const early = backup({ createdAt: ago(100_000), spec: { window } });
    expect(decideBackup(world({ backup: early }), NOW)).toEqual({
      kind: 'Wait',
      needsPerson: false,
      afterMs: 4 * 3_600_000,
      why: {
        reason: 'OutsideWindow',
        message: 'Its window, 22:00 to 06:00 (UTC), opens at 2026-11-23T22:00:00Z.',
      },
    });
    const waited = { ...early, status: waiting('OutsideWindow') };
    expect(decideBackup(world({ backup: waited }), NOW + 4 * 3_600_000)).toMatchObject({ kind: 'Plan' });
  });

  test('but runs on when its window closes', () => {
    const running = backup({ spec: { window }, status: { plan: plan() } });
    expect(decideBackup(world({ backup: running }), NOW)).toMatchObject({ kind: 'InProgress' });
  });

  test('while its repository is under maintenance', () => {
    const maintained = { ...repository(), spec: repositorySpec({ maintenance: true }) };
    expect(obstacleOf(world({ repository: maintained }), NOW)).toMatchObject({
      reason: 'RepositoryInMaintenance',
      needsPerson: false,
    });
  });
});
