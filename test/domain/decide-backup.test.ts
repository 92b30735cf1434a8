import { describe, expect, test } from 'vitest';
import type { Plan, VMBackup, VMBackupStatus } from '../../src/crds/vmbackup.ts';
import {
  AGENT_LOST_MS,
  FIRST_RETRY_MS,
  FIRST_RETURN_MS,
  LONGEST_RETRY_MS,
  retryDelayMs,
} from '../../src/domain/attempt.ts';
import { type BackupDecision, decideBackup } from '../../src/domain/decide-backup.ts';
import { MOST_GIVEN_WAY } from '../../src/domain/gave-way.ts';
import {
  agent,
  ago,
  backup,
  execution,
  failure,
  goodBackup,
  instance,
  NOW,
  plan,
  VM_UID,
  virtualMachine,
  world,
} from './builders.ts';

const conditions: NonNullable<VMBackupStatus['conditions']> = [
  {
    type: 'Stalled',
    status: 'True',
    reason: 'StartDeadlineExceeded',
    message: 'late',
    lastTransitionTime: ago(1),
  },
];

function waits(createdAt: string, spec: object): BackupDecision {
  return decideBackup(world({ vmi: undefined, backup: backup({ createdAt, spec }) }), NOW);
}

function planned(status: object = {}): VMBackup {
  return backup({ status: { plan: plan(), ...status } });
}

function failed(
  secondsAgo: number,
  planned: Partial<Plan> = {},
  error = failure,
  spec: object = {},
): VMBackup {
  const { attempt } = plan(planned);
  // Nothing is measured by the clock of the node.
  const ended = execution({ attempt, completedAt: ago(secondsAgo - 600), error });
  const { reason, message } = error;
  const record = {
    attempt,
    node: 'n1',
    endedAt: ago(secondsAgo - 600),
    recordedAt: ago(secondsAgo),
    reason,
    message,
  };
  return backup({ spec, status: { plan: plan(planned), execution: ended, attempts: [record] } });
}

describe('a new backup', () => {
  test('is planned for the node where the VM runs', () => {
    const decision = decideBackup(world(), NOW);
    expect(decision).toMatchObject({
      kind: 'Plan',
      plan: {
        attempt: 1,
        failedAttempts: 0,
        vmUid: VM_UID,
        nodeName: 'n1',
        type: 'Full',
        reason: 'NoEarlierBackup',
        chain: { id: 'uid-of-b', position: 0 },
        bitmap: `backup-${NOW / 1000}`,
        path: 'c/shop/db-aaaaaaaa/20261123T175900Z-uid-of-b',
        disks: [{ volume: 'root', type: 'Full', claim: { name: 'db-root', uid: 'claim-root' } }],
      },
    });
  });

  test('builds on the newest good backup', () => {
    const backups = [
      goodBackup('old', { plan: { bitmap: 'backup-1' }, execution: { bitmapCreated: 'backup-1' } }),
      goodBackup('new', { plan: { bitmap: 'backup-3' }, execution: { bitmapCreated: 'backup-3' } }),
      goodBackup('middle', { plan: { bitmap: 'backup-2' }, execution: { bitmapCreated: 'backup-2' } }),
      goodBackup('elsewhere', { spec: { repository: 'attic' }, plan: { bitmap: 'backup-9' } }),
      goodBackup('another-vm', { spec: { vmName: 'web' }, plan: { bitmap: 'backup-9' } }),
    ];
    expect(decideBackup(world({ backups }), NOW)).toMatchObject({
      plan: {
        type: 'Incremental',
        parent: { name: 'new', bitmap: 'backup-3' },
        chain: { id: 'uid-of-new', position: 1 },
      },
    });
  });

  test('takes a bitmap name that no repository of the VM has seen, lest two checkpoints share one', () => {
    const bitmap = `backup-${NOW / 1000 + 5}`;
    const backups = [goodBackup('elsewhere', { spec: { repository: 'attic' }, plan: { bitmap } })];
    expect(decideBackup(world({ backups }), NOW)).toMatchObject({
      plan: { bitmap: `backup-${NOW / 1000 + 6}` },
    });
  });

  test('waits while something stands in its way, no longer than its deadline', () => {
    expect(waits(ago(60), {})).toMatchObject({
      kind: 'Wait',
      why: { reason: 'VMNotRunning' },
      afterMs: 15_000,
      needsPerson: false,
    });
    expect(waits(ago(60), { startDeadlineSeconds: 63 })).toMatchObject({ kind: 'Wait', afterMs: 3000 });
    expect(waits(ago(63), { startDeadlineSeconds: 63 })).toMatchObject({
      kind: 'Failed',
      why: {
        reason: 'StartDeadlineExceeded',
        message: expect.stringMatching(
          /^It could not begin within startDeadlineSeconds \(63 s\)\. VMNotRunning: VirtualMachine 'db'/,
        ),
      },
    });
  });

  test('is not looked at often when only a person can help', () => {
    expect(decideBackup(world({ vm: undefined }), NOW)).toMatchObject({
      kind: 'Wait',
      needsPerson: true,
      afterMs: 60_000,
    });
  });
});

describe('a planned backup', () => {
  test('is left to its agent', () => {
    expect(decideBackup(world({ backup: planned() }), NOW)).toMatchObject({
      kind: 'InProgress',
      standing: { kind: 'Assigned' },
    });
    const running = planned({ execution: execution({ completedAt: undefined }) });
    expect(decideBackup(world({ backup: running, vmi: undefined }), NOW)).toMatchObject({
      kind: 'InProgress',
      standing: { kind: 'Running' },
    });
  });

  test.each([
    ['the VM moved', { vmi: instance({ nodeName: 'n2' }), agents: [agent({ nodeName: 'n2' })] }, 'n2'],
    [
      'the VM was made anew',
      { vm: { ...virtualMachine, metadata: { ...virtualMachine.metadata, uid: 'bbbbbbbb' } } },
      'n1',
    ],
  ])('is planned again when %s before the agent began, at no cost', (_, changes, nodeName) => {
    const decision = decideBackup(
      world({ backup: planned({ plan: plan({ failedAttempts: 2, attempt: 4 }) }), ...changes }),
      NOW,
    );
    expect(decision).toMatchObject({ kind: 'Plan', plan: { attempt: 5, failedAttempts: 2, nodeName } });
  });

  test('is planned again when the VM stopped, as soon as it runs', () => {
    expect(decideBackup(world({ backup: planned(), vmi: undefined }), NOW)).toMatchObject({
      kind: 'Wait',
      why: { reason: 'VMNotRunning' },
    });
  });

  test('fails when the agent does not take it up within the deadline', () => {
    const late = backup({ createdAt: ago(3601), status: { plan: plan() } });
    expect(decideBackup(world({ backup: late }), NOW)).toMatchObject({
      kind: 'Failed',
      why: {
        reason: 'StartDeadlineExceeded',
        message: expect.stringContaining("The agent on node 'n1' has not taken it up"),
      },
    });
  });

  test('is good when its agent committed the data', () => {
    expect(decideBackup(world({ backup: planned({ execution: execution() }) }), NOW)).toMatchObject({
      kind: 'Succeeded',
    });
  });

  test('is good even if it had been given up before: the data is there', () => {
    expect(
      decideBackup(world({ backup: planned({ execution: execution(), conditions }) }), NOW),
    ).toMatchObject({ kind: 'Succeeded' });
  });

  test('stays failed once it was given up', () => {
    expect(decideBackup(world({ backup: backup({ status: { conditions } }) }), NOW)).toEqual({
      kind: 'Failed',
      why: { reason: 'StartDeadlineExceeded', message: 'late' },
    });
  });

  test('believes no report of another attempt', () => {
    const status = { plan: plan({ attempt: 2, failedAttempts: 1 }), execution: execution({ attempt: 1 }) };
    expect(decideBackup(world({ backup: planned(status) }), NOW)).toMatchObject({
      kind: 'InProgress',
      standing: { kind: 'Assigned' },
    });
    const later = { plan: plan({ attempt: 1 }), execution: execution({ attempt: 2 }) };
    expect(decideBackup(world({ backup: planned(later) }), NOW)).toMatchObject({
      standing: { kind: 'Assigned' },
    });
  });
});

describe('a failed attempt', () => {
  test('is tried again after a while, with a new plan and another bitmap', () => {
    expect(decideBackup(world({ backup: failed(10) }), NOW)).toMatchObject({
      kind: 'Wait',
      why: {
        reason: 'AttemptFailed',
        message: 'Attempt 1 failed with CopyFailed: The disk is full. The next one follows at 18:00:20 UTC.',
      },
      afterMs: FIRST_RETRY_MS - 10_000,
    });
    const used = `backup-${NOW / 1000}`;
    expect(decideBackup(world({ backup: failed(30, { bitmap: used }) }), NOW)).toMatchObject({
      kind: 'Plan',
      plan: { attempt: 2, failedAttempts: 1, bitmap: `backup-${NOW / 1000 + 1}` },
    });
  });

  test('is tried again at the same time, whatever the clock of its node says: the controller counts from when it heard of it', () => {
    const justNow = (completedAt: string) =>
      backup({ status: { plan: plan(), execution: execution({ completedAt, error: failure }) } });
    for (const completedAt of [ago(0), ago(-600), ago(600)]) {
      const decision = decideBackup(world({ backup: justNow(completedAt) }), NOW);
      expect(decision).toMatchObject({ kind: 'Wait', afterMs: FIRST_RETRY_MS });
    }
  });

  test('is decided from scratch: what was incremental may be a full', () => {
    const was = {
      type: 'Incremental',
      chain: { id: 'x', position: 2 },
      parent: { name: 'gone', bitmap: 'backup-1' },
    } as const;
    expect(decideBackup(world({ backup: failed(30, was) }), NOW)).toMatchObject({
      plan: { type: 'Full', reason: 'NoEarlierBackup', chain: { id: 'uid-of-b', position: 0 } },
    });
  });

  test('counts its deadline from its own end', () => {
    const late = { ...failed(40), metadata: { ...failed(40).metadata, creationTimestamp: ago(9999) } };
    expect(decideBackup(world({ backup: late, vmi: undefined }), NOW)).toMatchObject({
      kind: 'Wait',
      why: { reason: 'VMNotRunning' },
    });
  });

  test.each([
    [1, 30_000],
    [2, 60_000],
    [3, 120_000],
    [6, LONGEST_RETRY_MS],
    [500, LONGEST_RETRY_MS],
  ])('the wait after %i of them is %i ms', (count, ms) => {
    expect(retryDelayMs(count)).toBe(ms);
  });

  test.each([
    [
      'when it was the last',
      failed(0, { failedAttempts: 3, attempt: 4 }),
      'BackoffLimitExceeded',
      'All 4 attempts failed (backoffLimit 3), and no other follows: take a new backup when the cause is mended. The last one failed with CopyFailed',
    ],
    [
      'when there is only one',
      failed(0, {}, failure, { backoffLimit: 0 }),
      'BackoffLimitExceeded',
      'The only attempt failed',
    ],
    [
      'when trying again is useless',
      failed(0, {}, { reason: 'QuiesceFailed', message: 'No agent.', final: true }),
      'QuiesceFailed',
      'No agent.',
    ],
  ])('ends the backup %s', (_, backup, reason, sentence) => {
    expect(decideBackup(world({ backup }), NOW)).toMatchObject({
      kind: 'Failed',
      why: { reason, message: expect.stringContaining(sentence) },
    });
  });
});

describe('an attempt that gave way to what matters more', () => {
  const moving = { reason: 'MigrationWanted', message: 'The VM wants to move.', final: false };

  test.each(['MigrationWanted', 'AgentStopped', 'VMNotOnNode', 'VMNotRunning'])(
    'is no failure, and the next one follows soon: %s',
    (reason) => {
      const last = { failedAttempts: 3, attempt: 4 };
      const why = { ...moving, reason };
      expect(decideBackup(world({ backup: failed(0, last, why) }), NOW)).toMatchObject({
        kind: 'Wait',
        why: { reason: 'AttemptGaveWay', message: expect.stringContaining(`gave way with ${reason}`) },
        afterMs: FIRST_RETURN_MS,
      });
      expect(decideBackup(world({ backup: failed(2, last, why) }), NOW)).toMatchObject({
        kind: 'Plan',
        plan: { attempt: 5, failedAttempts: 3 },
      });
    },
  );

  test('waits longer each time, lest a VM that never rests keep its node busy', () => {
    const fifth = failed(0, { failedAttempts: 1, attempt: 6 }, moving);
    expect(decideBackup(world({ backup: fifth }), NOW)).toMatchObject({ afterMs: FIRST_RETURN_MS * 16 });
  });

  test('is a case for a person when it happened too often', () => {
    const last = { failedAttempts: 1, attempt: MOST_GIVEN_WAY + 2 };
    expect(decideBackup(world({ backup: failed(0, last, moving) }), NOW)).toMatchObject({
      kind: 'Failed',
      why: { reason: 'GaveWayTooOften', message: expect.stringContaining('21 times') },
    });
  });
});

describe('an agent that falls silent in the middle of a backup', () => {
  const longAgo = ago(AGENT_LOST_MS / 1000 + 61);
  const running = (planned: object = {}) =>
    backup({
      status: { plan: plan(planned), execution: execution({ completedAt: undefined, startedAt: longAgo }) },
    });
  const silent = agent({ alive: false, seenAt: Date.parse(longAgo) });

  test('is waited for as long as it may only have restarted', () => {
    const restarting = agent({ alive: false, seenAt: NOW - AGENT_LOST_MS });
    expect(decideBackup(world({ backup: running(), agents: [restarting] }), NOW)).toMatchObject({
      kind: 'InProgress',
    });
    expect(decideBackup(world({ backup: running(), agents: [agent()] }), NOW)).toMatchObject({
      kind: 'InProgress',
    });
  });

  test('is given up with its attempt, and the VM is backed up where it runs now', () => {
    const elsewhere = { vmi: instance({ nodeName: 'n2' }), agents: [silent, agent({ nodeName: 'n2' })] };
    expect(decideBackup(world({ backup: running(), ...elsewhere }), NOW)).toMatchObject({
      kind: 'Plan',
      plan: { attempt: 2, failedAttempts: 1, nodeName: 'n2' },
    });
  });

  test('ends the backup when that was the last attempt', () => {
    expect(decideBackup(world({ backup: running({ failedAttempts: 3 }), agents: [] }), NOW)).toMatchObject({
      kind: 'Failed',
      why: {
        reason: 'BackoffLimitExceeded',
        message: expect.stringContaining(
          "AgentLost: The node agent on 'n1' has given no sign of life for 11 minutes",
        ),
      },
    });
  });
});
