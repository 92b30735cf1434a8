import { describe, expect, test } from 'vitest';
import { repositoryEvents } from '../../../src/controller/repository/events.ts';
import { repositoryStatus } from '../../../src/controller/repository/status.ts';
import { sumReadiness } from '../../../src/domain/repository-readiness.ts';
import { conditionOf } from '../../../src/kube/conditions.ts';
import { ago, agent, NOW, repository, repositorySpec } from '../../domain/builders.ts';

const GIB = 2 ** 30;
const idle = { running: 0, waiting: 0 };

/** What is said of a repository of 100 GiB, of which so many are free. */
function after(freeGib: number, before = repository(), lowSpacePercent = 10) {
  const object = { ...before, spec: repositorySpec({ local: { path: '/srv' }, lowSpacePercent }) };
  const found = { ready: true, reason: 'Ready', message: '', at: ago(1) };
  const report = { ...found, freeBytes: freeGib * GIB, capacityBytes: 100 * GIB };
  const readiness = sumReadiness('nas', [agent({ repositories: { nas: report } })]);
  const status = repositoryStatus(object, readiness, idle, new Date(NOW));
  const events = repositoryEvents(object, status).map(({ type, reason }) => `${type} ${reason}`);
  return { next: { ...object, status }, space: conditionOf(status.conditions, 'LowSpace'), events };
}

describe('the space of a repository', () => {
  test('that is enough is told, and is no news', () => {
    const { space, events } = after(10.5);
    expect(space).toMatchObject({
      status: 'False',
      reason: 'EnoughSpace',
      message: '10.5Gi of 100.0Gi are free (10 %).',
    });
    expect(events).toEqual([]);
  });

  test('that runs out is a warning before it is full, once; and it is told when there is room again', () => {
    const low = after(9.5);
    expect(low.space).toMatchObject({
      status: 'True',
      reason: 'LowSpace',
      message: expect.stringContaining(
        '9.5Gi of 100.0Gi are free (9 %), less than spec.lowSpacePercent (10 %)',
      ),
    });
    expect(low.events).toEqual(['Warning LowSpace']);
    expect(after(8, low.next).events).toEqual([]);
    expect(after(50, low.next).events).toEqual(['Normal EnoughSpace']);
  });

  test('is of no interest with lowSpacePercent 0', () => {
    expect(after(0, repository(), 0).space).toBeUndefined();
  });
});

test('a repository that nobody reaches any more keeps what was known of its space, and is not ready', () => {
  const { next } = after(5);
  const status = repositoryStatus(next, sumReadiness('nas', []), { running: 1, waiting: 2 }, new Date(NOW));
  expect(conditionOf(status.conditions, 'Ready')).toMatchObject({
    status: 'False',
    reason: 'NoAgentReported',
  });
  expect(conditionOf(status.conditions, 'LowSpace')).toMatchObject({ status: 'True' });
  expect(status).toMatchObject({ runningBackups: 1, waitingBackups: 2 });
});
