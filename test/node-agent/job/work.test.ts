import { describe, expect, test } from 'vitest';
import type { VMBackup, VMBackupStatus } from '../../../src/crds/vmbackup.ts';
import { workOf } from '../../../src/node-agent/job/work.ts';

const NOW = new Date('2026-11-23T12:00:00Z');
const PLAN = {
  attempt: 2,
  nodeName: 'node-1',
  type: 'Full' as const,
  reason: 'NoEarlierBackup',
  message: '',
  chain: { id: 'c', position: 0 },
  bitmap: 'backup-1',
  path: 'c/n/v/b',
  disks: [],
};
const EXECUTION = { attempt: 2, agent: 'node-1', startedAt: '2026-11-23T11:00:00Z' };

function backup(status: VMBackupStatus, metadata: Partial<VMBackup['metadata']> = {}): VMBackup {
  const spec = { vmName: 'db', repository: 'nas', type: 'Auto', fullEvery: 10, quiesce: 'Never' } as const;
  return {
    metadata: { name: 'b', namespace: 'n', uid: 'u', ...metadata },
    spec: { ...spec, backoffLimit: 3, whenStopped: 'Skip', startDeadlineSeconds: 3600, priority: 0 },
    status,
  };
}

describe('what a VMBackup asks of the agent', () => {
  test.each([
    ['it has no plan yet', backup({})],
    ['it is planned for another node', backup({ plan: { ...PLAN, nodeName: 'node-2' } })],
    ['it is being deleted', backup({ plan: PLAN }, { deletionTimestamp: '2026-11-23T11:59:00Z' })],
    ['it has succeeded', backup({ plan: PLAN, phase: 'Succeeded' })],
    ['it has failed for good', backup({ plan: PLAN, phase: 'Failed' })],
    [
      'this attempt has ended',
      backup({ plan: PLAN, execution: { ...EXECUTION, completedAt: '2026-11-23T11:30:00Z' } }),
    ],
    ['a later attempt has been reported', backup({ plan: PLAN, execution: { ...EXECUTION, attempt: 3 } })],
  ])('nothing when %s', (_, object) => {
    expect(workOf(object, 'node-1', NOW)).toEqual({ kind: 'None' });
  });

  test('a new plan begins with a clean report', () => {
    const old = { ...EXECUTION, attempt: 1, error: { reason: 'NbdGone', message: '', final: false } };
    expect(workOf(backup({ plan: PLAN, execution: old }), 'node-1', NOW)).toEqual({
      kind: 'CarryOut',
      plan: PLAN,
      execution: { attempt: 2, agent: 'node-1', startedAt: NOW.toISOString() },
    });
  });

  test('an attempt that a killed agent had begun goes on with what was reported of it', () => {
    const execution = { ...EXECUTION, bitmapCreated: 'backup-1' };
    expect(workOf(backup({ plan: PLAN, execution }), 'node-1', NOW)).toMatchObject({
      kind: 'CarryOut',
      execution,
    });
  });
});
