import { describe, expect, test } from 'vitest';
import type { Job, Pod } from '../../../src/crds/core.ts';
import { eventIn, jobStanding, waitingWarning } from '../../../src/domain/job/job-standing.ts';

type State = NonNullable<NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number]['state']>;

const job = (condition?: { type: string; reason?: string; message?: string }): Job => ({
  metadata: { name: 'j', uid: 'j' },
  status: { conditions: condition ? [{ status: 'True', ...condition }] : [] },
});
const pod = (
  state?: State,
  more: Partial<NonNullable<Pod['status']>> = {},
  createdAt = '2026-11-23T18:00:00Z',
): Pod => ({
  metadata: { name: 'p', uid: 'p', creationTimestamp: createdAt },
  status: { ...more, ...(state && { containerStatuses: [{ name: 'mover', state }] }) },
});
const failed = {
  type: 'Failed',
  reason: 'BackoffLimitExceeded',
  message: 'Job has reached the specified backoff limit',
};
const error = (reason: string) =>
  `{"event":"progress"}\n{"event":"error","reason":"${reason}","message":"what"}\nsome words`;

describe('a Job', () => {
  test.each([
    ['that is not there', { job: undefined, pods: [] }, { kind: 'Absent' }],
    ['that is complete', { job: job({ type: 'Complete' }), pods: [] }, { kind: 'Succeeded' }],
    ['without a pod', { job: job(), pods: [] }, { kind: 'Waiting', why: { reason: 'PodPending' } }],
    [
      'whose image cannot be pulled',
      { job: job(), pods: [pod({ waiting: { reason: 'ImagePullBackOff', message: 'no such image' } })] },
      { kind: 'Waiting', why: { reason: 'ImagePullBackOff', message: "Pod 'p': no such image" } },
    ],
    [
      'that no node takes',
      {
        job: job(),
        pods: [
          pod(undefined, {
            conditions: [
              { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message: '0/3 nodes' },
            ],
          }),
        ],
      },
      { kind: 'Waiting', why: { reason: 'Unschedulable', message: "Pod 'p': 0/3 nodes" } },
    ],
    [
      'that waits for a volume',
      { job: job(), pods: [pod({ waiting: { reason: 'ContainerCreating' } })] },
      { kind: 'Waiting', why: { reason: 'PodPending' } },
    ],
    [
      'whose pod found what stays as it is',
      { job: job(), pods: [pod({ terminated: { exitCode: 4, message: error('TargetFull') } })] },
      { kind: 'Failed', why: { reason: 'TargetFull', message: 'what' } },
    ],
    [
      'whose pod found what may pass',
      { job: job(), pods: [pod({ terminated: { exitCode: 4, message: error('TargetTimedOut') } })] },
      { kind: 'Waiting', why: { reason: 'TargetTimedOut', message: 'It is tried again after: what' } },
    ],
    [
      'that the mover ended with a reason',
      { job: job(failed), pods: [pod({ terminated: { exitCode: 1, message: error('BackupDataDamaged') } })] },
      { kind: 'Failed', why: { reason: 'BackupDataDamaged', message: 'what' } },
    ],
    [
      'that was killed for memory',
      { job: job(failed), pods: [pod({ terminated: { exitCode: 137, reason: 'OOMKilled' } })] },
      { kind: 'Failed', why: { reason: 'OOMKilled' } },
    ],
    [
      'that ended without a word of the mover',
      { job: job(failed), pods: [pod({ terminated: { exitCode: 127, message: 'node: not found' } })] },
      {
        kind: 'Failed',
        why: { reason: 'MoverFailed', message: 'The mover ended with exit code 127: node: not found' },
      },
    ],
    [
      'whose pods are gone',
      { job: job(failed), pods: [] },
      { kind: 'Failed', why: { reason: 'BackoffLimitExceeded', message: failed.message } },
    ],
  ])('%s', (_, observed, expected) => {
    expect(jobStanding(observed)).toMatchObject(expected);
  });

  test('that runs tells its progress, and passes over lines that are none', () => {
    const running = { job: job(), pods: [pod({ running: {} })] };
    const progress = {
      event: 'progress',
      volume: 'root',
      phase: 'restoring',
      bytesDone: 1,
      bytesTotal: 2,
      bytesRead: 1,
      bytesStored: 1,
    };
    expect(jobStanding({ ...running, lastLine: JSON.stringify(progress) })).toMatchObject({
      kind: 'Running',
      progress,
    });
    const lastLine = '{"event":"progress","bytesDone":"many"}';
    expect(jobStanding({ ...running, lastLine })).toEqual({ kind: 'Running', progress: undefined, lastLine });
    expect(jobStanding(running)).toEqual({ kind: 'Running', progress: undefined, lastLine: undefined });
  });

  test('that was tried again is judged by its newest pod', () => {
    const pods = [
      pod({ terminated: { exitCode: 4, message: error('TargetStale') } }),
      pod({ terminated: { exitCode: 4, message: error('TargetFull') } }, {}, '2026-11-23T18:01:00Z'),
    ];
    expect(jobStanding({ job: job(failed), pods })).toMatchObject({ why: { reason: 'TargetFull' } });
  });
});

test('an event is the last line that is one', () => {
  expect(eventIn('words\n{"event":"result","a":1}\n{"event":"result","a":2}\n', 'result')).toEqual({
    event: 'result',
    a: 2,
  });
  expect(eventIn('', 'result')).toBeUndefined();
});

describe('a verification that failed', () => {
  const fault = (n: number) => ({
    reason: 'BackupDataDamaged',
    volume: 'root',
    path: 'root.qcow2',
    message: `fault ${n}`,
    range: null,
    guestRanges: [],
  });
  const result = (faults: readonly object[]) =>
    JSON.stringify({
      event: 'result',
      command: 'verify',
      directory: '/d',
      good: false,
      cursor: null,
      backups: 1,
      bytesRead: 1,
      faults,
    });

  test('tells the first fault and how many there are, however long the list', () => {
    const pods = [pod({ terminated: { exitCode: 1, message: 'cut off in the mid' } })];
    const of = (count: number) =>
      jobStanding({
        job: job(failed),
        pods,
        lastLine: result(Array.from({ length: count }, (_, n) => fault(n + 1))),
      });
    expect(of(1)).toEqual({ kind: 'Failed', why: { reason: 'BackupDataDamaged', message: 'fault 1' } });
    expect(of(9)).toMatchObject({ why: { message: 'fault 1 (and 8 more)' } });
  });
});

describe('the warnings about a pod that does not begin', () => {
  const warning = (reason: string, lastTimestamp: string | null) => ({
    metadata: { name: reason, uid: reason, creationTimestamp: '2026-11-23T18:00:00Z' },
    reason,
    message: 'mount.nfs: access denied by server',
    lastTimestamp,
  });

  test('tell by the newest of them what holds it up', () => {
    expect(
      waitingWarning('p', [
        warning('FailedScheduling', null),
        warning('FailedMount', '2026-11-23T18:01:00Z'),
      ]),
    ).toEqual({ reason: 'FailedMount', message: "'p': mount.nfs: access denied by server" });
    expect(waitingWarning('p', [])).toBeUndefined();
  });
});
