import { describe, expect, test } from 'vitest';
import { AGENT_LOST_MS } from '../../src/domain/attempt.ts';
import { decideBackup } from '../../src/domain/decide-backup.ts';
import { ago, agent, backup, execution, failure, instance, NOW, plan, world } from './builders.ts';

/** What an agent writes is by its node's clock, and that may be wrong: the controller's decisions must not wait for it. */

const YEAR_AHEAD = ago(-365 * 86_400);

describe('a node whose clock is a year ahead', () => {
  const failed = backup({
    createdAt: ago(7200),
    status: {
      plan: plan({ attempt: 1 }),
      execution: execution({ startedAt: YEAR_AHEAD, completedAt: YEAR_AHEAD, error: failure }),
      attempts: [
        {
          ...{ attempt: 1, node: 'n1', reason: 'CopyFailed', message: '' },
          endedAt: YEAR_AHEAD,
          recordedAt: ago(7000),
        },
      ],
    },
  });

  test('holds up no next attempt', () => {
    expect(decideBackup(world({ backup: failed }), NOW)).toMatchObject({
      kind: 'Plan',
      plan: { attempt: 2, failedAttempts: 1 },
    });
  });
  test('keeps no backup from failing at its deadline', () => {
    expect(decideBackup(world({ backup: failed, agents: [] }), NOW)).toMatchObject({
      kind: 'Failed',
      why: { reason: 'StartDeadlineExceeded' },
    });
  });
  test('does not make a lost agent look alive', () => {
    const running = backup({
      status: {
        plan: plan(),
        execution: { attempt: 1, agent: 'n1', startedAt: YEAR_AHEAD },
      },
    });
    const silent = agent({ seenAt: NOW - AGENT_LOST_MS - 1, alive: false });
    const agents = [silent, agent({ nodeName: 'n2' })];
    const vmi = instance({ nodeName: 'n2' });
    expect(decideBackup(world({ backup: running, agents, vmi }), NOW)).toMatchObject({
      kind: 'Plan',
      abandoned: { reason: 'AgentLost' },
    });
  });
});
