import { describe, expect, test } from 'vitest';
import { executorFor, isStillRight } from '../../src/domain/executor.ts';
import { agent, backup, instance, virtualMachine, world } from './builders.ts';

const stopped = world({ vmi: undefined });
const starting = world({ vmi: instance({ phase: 'Scheduling' }) });
const onAnother = world({ vmi: instance({ nodeName: 'n2' }), agents: [agent({ nodeName: 'n2' })] });
const says = (printableStatus: string) =>
  world({ vm: { ...virtualMachine, status: { printableStatus } }, vmi: undefined });
const goes = { metadata: { ...virtualMachine.metadata, deletionTimestamp: '2026-11-23T18:00:00Z' } };

describe('who carries a backup out', () => {
  test.each([
    ['a VM that runs: the agent of its node', world(), { nodeName: 'n1' }],
    ['a VM that is stopped: a Job, named for the attempt', stopped, { nodeName: '', job: 'b-11111111-3' }],
    ['a VM that starts or stops: nobody', starting, undefined],
    ['a VM that KubeVirt calls stopped: a Job', says('Stopped'), { nodeName: '', job: 'b-11111111-3' }],
    ['a VM that is about to start: nobody', says('Starting'), undefined],
    [
      'a VM that is to run, and of which KubeVirt has said nothing yet: nobody',
      world({ vm: { ...virtualMachine, spec: { ...virtualMachine.spec, running: true } }, vmi: undefined }),
      undefined,
    ],
    ['a VM that is not there: nobody', world({ vm: undefined, vmi: undefined }), undefined],
    [
      'a VM that is being deleted: nobody',
      world({ vm: { ...virtualMachine, ...goes }, vmi: undefined }),
      undefined,
    ],
  ])('%s', (_, of, executor) => {
    expect(executorFor({ ...of, backup: backup({ name: 'b', uid: '11111111-2222' }) }, 3)).toEqual(executor);
  });

  test.each([
    ['the agent', 'its VM runs there', world(), true],
    ['the agent', 'its VM runs elsewhere', onAnother, false],
    ['the agent', 'its VM is stopped', stopped, false],
    ['the Job', 'its VM is stopped', stopped, true],
    ['the Job', 'its VM starts', starting, false],
    ['the Job', 'its VM runs', world(), false],
  ])('%s is right while %s', (who, _, of, isRight) => {
    const executor = who === 'the Job' ? { nodeName: '', job: 'b-1' } : { nodeName: 'n1' };
    expect(isStillRight(executor, of)).toBe(isRight);
  });

  test('a backup that was made anew under its old name gets a Job of its own', () => {
    const [before, after] = ['aaaaaaaa-1', 'bbbbbbbb-2'].map((uid) =>
      executorFor({ ...stopped, backup: backup({ name: 'b', uid }) }, 1),
    );
    expect(after?.job).not.toBe(before?.job);
  });

  test('a name of any length gives a valid name of a Job', () => {
    const long = world({ vmi: undefined, backup: backup({ name: 'x'.repeat(253) }) });
    expect(executorFor(long, 12)?.job).toMatch(/^[a-z0-9-]{1,63}$/);
  });
});
