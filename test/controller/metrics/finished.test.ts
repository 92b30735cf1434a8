import { Registry } from 'prom-client';
import { beforeEach, describe, expect, test } from 'vitest';
import { backlogRows } from '../../../src/controller/metrics/backlog.ts';
import { boundedTo, finishedMetrics } from '../../../src/controller/metrics/finished.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { Change } from '../../../src/kube/change.ts';
import { backup, execution, failure, goodBackup, plan } from '../../domain/builders.ts';

let register: Registry;
let tell: (change: Change<VMBackup>) => void;
beforeEach(() => {
  register = new Registry();
  tell = finishedMetrics(register);
});

async function series(name: string): Promise<string[]> {
  const text = await register.getSingleMetricAsString(name);
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

const running = backup({ status: { plan: plan(), execution: execution({ completedAt: undefined }) } });

describe('what ends is counted', () => {
  test('once, when it ends: not when it is first seen, and not when it changes afterwards', async () => {
    const good = goodBackup('b');
    tell({ key: 'shop/b', old: undefined, new: good });
    expect(await series('tidemark_backups_finished_total')).toEqual([]);
    tell({ key: 'shop/b', old: running, new: good });
    tell({ key: 'shop/b', old: good, new: { ...good } });
    tell({ key: 'shop/b', old: good, new: undefined });
    expect(await series('tidemark_backups_finished_total')).toEqual([
      'tidemark_backups_finished_total{namespace="shop",repository="nas",result="Succeeded",type="Full",reason="NoEarlierBackup"} 1',
    ]);
    expect(await series('tidemark_backup_bytes_total')).toContain(
      'tidemark_backup_bytes_total{namespace="shop",repository="nas",kind="stored"} 1024',
    );
  });

  test('a failure with its reason', async () => {
    const failed = goodBackup('b', { execution: { error: { ...failure, final: true } } });
    tell({ key: 'shop/b', old: running, new: failed });
    expect(await series('tidemark_backups_finished_total')).toEqual([
      'tidemark_backups_finished_total{namespace="shop",repository="nas",result="Failed",type="Full",reason="CopyFailed"} 1',
    ]);
  });

  test('a fallback with its reason, beside what it is a share of', async () => {
    const disk = { volume: 'root', type: 'Full', reason: 'BitmapMissing', tracked: true } as const;
    const fellBack = goodBackup('b', {
      plan: { type: 'Incremental', reason: 'ChangedSinceParent' },
      execution: {
        disks: [disk],
        incrementalFallback: { reason: 'BitmapMissing', message: 'gone', disks: ['root'] },
        quiesce: { result: 'Frozen', frozenMilliseconds: 40 },
      },
    });
    tell({ key: 'shop/b', old: running, new: fellBack });
    expect(await series('tidemark_backup_fallbacks_total')).toEqual([
      'tidemark_backup_fallbacks_total{repository="nas",reason="BitmapMissing"} 1',
    ]);
    expect(await series('tidemark_backups_planned_incremental_total')).toEqual([
      'tidemark_backups_planned_incremental_total{repository="nas"} 1',
    ]);
    expect(await series('tidemark_backup_frozen_seconds')).toContain(
      'tidemark_backup_frozen_seconds_sum 0.04',
    );
  });
});

test('reasons without end do not become series without end', () => {
  const bounded = boundedTo(2);
  expect(['A', 'B', 'C', 'A', 'D'].map(bounded)).toEqual(['A', 'B', 'Other', 'A', 'Other']);
});

test('the queue is told by where its backups stand', () => {
  const rows = backlogRows([running, backup(), backup(), goodBackup('over')]);
  expect(rows).toEqual([
    { labels: { repository: 'nas', state: 'Running', reason: '' }, value: 1 },
    { labels: { repository: 'nas', state: 'New', reason: '' }, value: 2 },
  ]);
});
