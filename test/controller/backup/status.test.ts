import { describe, expect, test } from 'vitest';
import { backupEvents } from '../../../src/controller/backup/events.ts';
import { backupStatus } from '../../../src/controller/backup/status.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { type BackupDecision, decideBackup } from '../../../src/domain/decide-backup.ts';
import { backup, execution, failure, goodBackup, instance, NOW, plan, world } from '../../domain/builders.ts';

const now = new Date(NOW);

/** Reconciles a backup: what the controller writes over what is there. */
function after(
  object: VMBackup,
  changes: Parameters<typeof world>[0] = {},
): { next: VMBackup; decision: BackupDecision; reasons: string[] } {
  const decision = decideBackup(world({ backup: object, ...changes }), NOW);
  const events = backupEvents(object, decision);
  const status = backupStatus(object, decision, now);
  const next = { ...object, status: { ...status, execution: object.status?.execution } };
  return { next, decision, reasons: events.map(({ type, reason }) => `${type} ${reason}`) };
}

const conditions = ({ status }: VMBackup): string[] =>
  (status?.conditions ?? []).map(({ type, status, reason }) => `${type}=${status} ${reason}`);

describe('the status of a backup', () => {
  test('tells of its plan', () => {
    const { next, reasons } = after(backup());
    expect(next.status).toMatchObject({
      phase: 'Assigned',
      type: 'Full',
      typeReason: 'NoEarlierBackup',
      chain: { position: 0 },
    });
    expect(conditions(next)).toEqual(['Reconciling=True Assigned', 'Ready=Unknown Assigned']);
    expect(reasons).toEqual(['Normal Planned']);
  });

  test('tells what it waits for, and says so once', () => {
    const first = after(backup(), { vmi: undefined });
    expect(first.next.status).toMatchObject({ phase: 'Pending' });
    expect(conditions(first.next)).toEqual(['Reconciling=True VMNotRunning', 'Ready=Unknown VMNotRunning']);
    expect(first.reasons).toEqual(['Normal VMNotRunning']);
    const second = after(first.next, { vmi: undefined });
    expect(second.reasons).toEqual([]);
    expect(second.next.status).toEqual(first.next.status);
    expect(after(first.next, { vm: undefined }).reasons).toEqual(['Warning VMNotFound']);
  });

  test('tells that it runs, and already what it is going to be', () => {
    const running = backup({ status: { plan: plan(), execution: execution({ completedAt: undefined }) } });
    const { next, reasons } = after(running);
    expect(next.status).toMatchObject({ phase: 'Running', type: 'Full' });
    expect(conditions(next)).toEqual(['Reconciling=True Running', 'Ready=Unknown Running']);
    expect(reasons).toEqual([]);
  });

  test('tells what came of it, with size and time, once', () => {
    const { next, reasons } = after(goodBackup('b'));
    expect(next.status).toMatchObject({ phase: 'Succeeded', type: 'Full', size: '1.0Ki', seconds: 10 });
    expect(conditions(next)).toEqual(['Ready=True Succeeded']);
    expect(next.status?.conditions?.[0]?.message).toBe(
      'Full (NoEarlierBackup), position 0 of its chain. The VM has no good backup in this repository yet.',
    );
    expect(reasons).toEqual(['Normal Succeeded']);
    expect(after(next).reasons).toEqual([]);
    expect(after(next).next).toEqual(next);
  });

  test('says what is not in it, before and after', () => {
    const leftOut = ['the persistent EFI variables'];
    const words = 'Not in it: the persistent EFI variables.';
    const assigned = after(backup({ status: { plan: plan({ leftOut }) } }));
    expect(assigned.next.status?.conditions?.[0]?.message).toContain(words);
    const done = after(backup({ status: { plan: plan({ leftOut }), execution: execution() } }));
    expect(conditions(done.next)).toEqual(['Ready=True Succeeded']);
    expect(done.next.status?.conditions?.[0]?.message).toContain(words);
  });

  test('warns of a fallback, and says it in the condition', () => {
    const incrementalFallback = { reason: 'CheckpointLost', message: 'QEMU was killed.', disks: ['root'] };
    const fell = goodBackup('b', {
      plan: { type: 'Incremental', reason: 'ChangedSinceParent', chain: { id: 'x', position: 4 } },
      execution: { incrementalFallback },
    });
    const { next, reasons } = after(fell);
    expect(reasons).toEqual(['Warning IncrementalFallback', 'Normal Succeeded']);
    expect(next.status).toMatchObject({
      type: 'Full',
      typeReason: 'CheckpointLost',
      chain: { id: 'uid-of-b', position: 0 },
    });
    expect(next.status?.conditions?.[0]?.message).toBe(
      'Full (CheckpointLost), position 0 of its chain. QEMU was killed.',
    );
  });

  test('tells of a failed attempt once, and claims no type for what has no data', () => {
    const failed = backup({ status: { plan: plan(), execution: execution({ error: failure }) } });
    const { next, reasons } = after(failed);
    expect(reasons).toEqual(['Warning AttemptFailed']);
    expect(conditions(next)).toEqual(['Reconciling=True AttemptFailed', 'Ready=Unknown AttemptFailed']);
    expect(next.status).not.toHaveProperty('type');
    expect(next.status?.plan).toEqual(plan());
    expect(after(next).reasons).toEqual([]);
  });

  test('stays at the end it came to', () => {
    const failed = backup({
      spec: { backoffLimit: 0 },
      status: { plan: plan(), execution: execution({ error: failure }) },
    });
    const { next, reasons } = after(failed);
    expect(conditions(next)).toEqual([
      'Stalled=True BackoffLimitExceeded',
      'Ready=False BackoffLimitExceeded',
    ]);
    expect(next.status?.phase).toBe('Failed');
    expect(reasons).toEqual(['Warning BackoffLimitExceeded']);
    const again = after(next, { vmi: instance({ nodeName: 'n2' }) });
    expect(again.next).toEqual(next);
    expect(again.reasons).toEqual([]);
  });
});
