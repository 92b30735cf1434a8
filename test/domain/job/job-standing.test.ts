import { describe, expect, test } from 'vitest';
import type { Job, Pod } from '../../../src/crds/core.ts';
import { eventIn, jobStanding } from '../../../src/domain/job/job-standing.ts';

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
    expect(jobStanding({ ...running, lastLine: JSON.stringify(progress) })).toEqual({
      kind: 'Running',
      progress,
    });
    expect(jobStanding({ ...running, lastLine: '{"event":"progress","bytesDone":"many"}' })).toEqual({
      kind: 'Running',
      progress: undefined,
    });
    expect(jobStanding(running)).toEqual({ kind: 'Running', progress: undefined });
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
