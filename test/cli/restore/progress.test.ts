import { expect, test } from 'vitest';
import { planLines } from '../../../src/cli/restore/plan-lines.ts';
import { restoreLine } from '../../../src/cli/restore/progress.ts';
import { plain } from '../../../src/cli/screen/style.ts';
import type { RestorePlan, VMRestoreStatus } from '../../../src/crds/vmrestore.ts';
import { claimsOnly, GiB, PATH, restore } from '../../domain/restore/builders.ts';

const claim = { sizeBytes: GiB, requestBytes: GiB, volumeMode: 'Block' as const, accessModes: [] };
const plan: RestorePlan = {
  repository: 'nas',
  path: PATH,
  claims: [
    { ...claim, volume: 'root', claimName: 'restored-root', storageClassName: 'ceph' },
    { ...claim, volume: 'data', claimName: 'restored-data', replaces: 'db-data' },
  ],
  leftOut: ['persistent TPM and EFI state: in no backup'],
};

const says = (type: string, reason: string): VMRestoreStatus => ({
  conditions: [
    { type, status: 'True', reason, message: 'A sentence.', lastTransitionTime: '2026-11-23T18:00:00Z' },
  ],
});
const writing: VMRestoreStatus = {
  ...says('Reconciling', 'Writing'),
  plan,
  percent: 50,
  bytesPerSecond: 2 ** 26,
  volumes: [
    { volume: 'root', state: 'Writing', doneBytes: GiB },
    { volume: 'data', state: 'Waiting' },
  ],
};
const completedAt = '2026-11-23T18:00:00Z';

test.each<[string, VMRestoreStatus | undefined, object]>([
  ['nobody has looked at yet', undefined, { text: 'waits for the controller' }],
  ['is checked', says('Reconciling', 'Checking'), { text: 'Checking: A sentence.' }],
  ['waits for a person', says('Stalled', 'VMRunning'), { text: 'VMRunning: A sentence.', tone: 'warn' }],
  ['writes', writing, { text: '████████████░░░░░░░░░░░░ 50%  1.0Gi of 2.0Gi, 64.0Mi/s, 16s left' }],
  ['is done', { ...says('Ready', 'Succeeded'), completedAt }, { text: 'A sentence.', tone: 'good' }],
  [
    'failed',
    { ...says('Stalled', 'TargetFull'), completedAt },
    { text: 'TargetFull: A sentence.', tone: 'bad' },
  ],
])('a restore that %s', (_, status, expected) => {
  expect(restoreLine(restore(claimsOnly, {}, status))).toEqual(expected);
});

test('a plan is a table of claims, and what is left out', () => {
  expect(planLines(plan, plain)).toEqual([
    'VOLUME   CLAIM           SIZE    MODE    STORAGE CLASS           REPLACES',
    'root     restored-root   1.0Gi   Block   ceph                    -',
    "data     restored-data   1.0Gi   Block   the cluster's default   db-data",
    'left out: persistent TPM and EFI state: in no backup',
  ]);
});
