import { expect, test } from 'vitest';
import { neverBegan, START_DEADLINE_MS, worthTelling } from '../../../src/domain/job/start-deadline.ts';

const began = Date.parse('2026-11-23T18:00:00Z');
const why = { reason: 'ImagePullBackOff', message: "Pod 'p': no such image" };
const waiting = { kind: 'Waiting', why, since: '2026-11-23T18:00:00Z' } as const;

test('a pod that does not begin is told of after a minute, and given up after ten', () => {
  expect(worthTelling(waiting, began + 59_999)).toBeUndefined();
  expect(worthTelling(waiting, began + 60_000)).toEqual(why);
  expect(neverBegan('j', waiting, began + START_DEADLINE_MS - 1)).toBeUndefined();
  expect(neverBegan('j', waiting, began + START_DEADLINE_MS)).toEqual({
    reason: 'JobNotStarted',
    message: "Job 'j' did not begin within 10 minutes (ImagePullBackOff): Pod 'p': no such image",
  });
});

test('between two pods of a Job the clock does not run', () => {
  const between = { kind: 'Waiting', why } as const;
  expect(worthTelling(between, began + 86_400_000)).toBeUndefined();
  expect(neverBegan('j', between, began + 86_400_000)).toBeUndefined();
});
