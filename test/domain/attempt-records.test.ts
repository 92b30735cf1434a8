import { describe, expect, test } from 'vitest';
import { backupStatus } from '../../src/controller/backup/status.ts';
import { MOST_ATTEMPT_RECORDS } from '../../src/crds/attempt-record.ts';
import type { VMBackup } from '../../src/crds/vmbackup.ts';
import { AGENT_LOST_MS } from '../../src/domain/attempt.ts';
import { attemptRecords } from '../../src/domain/attempt-records.ts';
import { decideBackup } from '../../src/domain/decide-backup.ts';
import { agent, ago, backup, execution, failure, instance, NOW, plan, world } from './builders.ts';

const now = new Date(NOW);
const failed = { attempt: 1, node: 'n1', startedAt: ago(30), endedAt: ago(20), ...failure };
const { final: _, ...told } = failed;
const record = { ...told, recordedAt: now.toISOString() };

/** What the controller writes over a backup. */
function after(object: VMBackup, changes: Parameters<typeof world>[0] = {}): VMBackup {
  const decision = decideBackup(world({ backup: object, ...changes }), NOW);
  const status = backupStatus(object, decision, now);
  return { ...object, status: { ...status, execution: object.status?.execution } };
}

const recorded = (object: VMBackup) => object.status?.attempts;

describe('the record of attempts', () => {
  test('is empty while nothing has ended', () => {
    expect(recorded(after(backup()))).toBeUndefined();
    const running = { plan: plan(), execution: execution({ completedAt: undefined }) };
    expect(recorded(after(backup({ status: running })))).toBeUndefined();
  });

  test('holds what the agent said of its end, once', () => {
    const first = after(backup({ status: { plan: plan(), execution: execution({ error: failure }) } }));
    expect(recorded(first)).toEqual([record]);
    expect(recorded(after(first))).toEqual([record]);
  });

  test('holds the failed ones beside the good one, oldest first', () => {
    const status = {
      plan: plan({ attempt: 2, failedAttempts: 1 }),
      execution: execution({ attempt: 2 }),
      attempts: [record],
    };
    expect(recorded(after(backup({ status })))).toEqual([
      record,
      expect.objectContaining({ attempt: 2, reason: 'Succeeded', endedAt: ago(20) }),
    ]);
  });

  test('tells of an attempt that a plan replaced before its agent began', () => {
    const elsewhere = { vmi: instance({ nodeName: 'n2' }), agents: [agent({ nodeName: 'n2' })] };
    const next = after(backup({ status: { plan: plan() } }), elsewhere);
    expect(next.status?.plan?.attempt).toBe(2);
    expect(recorded(next)).toEqual([
      {
        attempt: 1,
        node: 'n1',
        endedAt: ago(0),
        recordedAt: now.toISOString(),
        reason: 'VMMoved',
        message: "The VM left node 'n1' before the agent there began.",
      },
    ]);
  });

  test('tells of an agent that was lost, and believes it should it speak later', () => {
    const longAgo = ago(AGENT_LOST_MS / 1000 + 61);
    const lost = backup({
      status: {
        plan: plan({ failedAttempts: 3 }),
        execution: execution({ startedAt: longAgo, completedAt: undefined }),
      },
    });
    const ended = after(lost, { agents: [] });
    expect(ended.status?.phase).toBe('Failed');
    expect(recorded(ended)).toMatchObject([{ attempt: 1, reason: 'AgentLost', endedAt: ago(0) }]);
    expect(recorded(after(ended, { agents: [] }))).toEqual(recorded(ended));
    const late = { ...ended, status: { ...ended.status, execution: execution({ startedAt: longAgo }) } };
    expect(recorded(after(late))).toMatchObject([{ attempt: 1, reason: 'Succeeded', endedAt: ago(20) }]);
  });

  test('tells of an agent that never took a plan up', () => {
    const late = backup({ createdAt: ago(3601), status: { plan: plan() } });
    expect(recorded(after(late))).toMatchObject([{ attempt: 1, reason: 'NodeAgentSilent' }]);
  });

  test('does not grow without end, and keeps the latest', () => {
    const attempts = Array.from({ length: MOST_ATTEMPT_RECORDS }, (_, index) => ({
      ...record,
      attempt: index + 1,
    }));
    const attempt = MOST_ATTEMPT_RECORDS + 1;
    const status = { plan: plan({ attempt }), execution: execution({ attempt, error: failure }), attempts };
    const kept = attemptRecords({ status }, undefined, now);
    expect(kept).toHaveLength(MOST_ATTEMPT_RECORDS);
    expect(kept.at(0)?.attempt).toBe(2);
    expect(kept.at(-1)?.attempt).toBe(attempt);
  });
});
