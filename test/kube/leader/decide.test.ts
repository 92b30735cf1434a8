import { describe, expect, test } from 'vitest';
import { nextStep, type SeenLease, seeLease } from '../../../src/kube/leader/decide.ts';

function seen(holderIdentity: string | undefined, unchangedSince = 0): SeenLease {
  return { resourceVersion: '1', spec: { holderIdentity, leaseDurationSeconds: 15 }, unchangedSince };
}

describe('a candidate', () => {
  test.each([
    { name: 'makes a lease that is not there', lease: undefined, now: 0, step: { kind: 'Create' } },
    {
      name: 'takes one that was given back',
      lease: seen(''),
      now: 0,
      step: { kind: 'Take', reason: 'Released' },
    },
    {
      name: 'takes one without a holder',
      lease: seen(undefined),
      now: 0,
      step: { kind: 'Take', reason: 'Released' },
    },
    {
      name: 'goes on with its own',
      lease: seen('me'),
      now: 0,
      step: { kind: 'Take', reason: 'OursAlready' },
    },
    {
      name: 'waits while it changes',
      lease: seen('other', 1),
      now: 15_000,
      step: { kind: 'Wait', holder: 'other' },
    },
    {
      name: 'takes one that stood still for its whole time',
      lease: seen('other'),
      now: 15_000,
      step: { kind: 'Take', reason: 'Expired' },
    },
  ])('$name', ({ lease, now, step }) => {
    expect(nextStep(lease, 'me', now)).toEqual(step);
  });
});

test('a lease is as old as our first look at it, whatever its renewTime says', () => {
  const spec = { holderIdentity: 'other', renewTime: '1970-01-01T00:00:00.000000Z' };
  const first = seeLease(undefined, { resourceVersion: '1', spec }, 1000);
  expect(seeLease(first, { resourceVersion: '1', spec }, 9000).unchangedSince).toBe(1000);
  expect(seeLease(first, { resourceVersion: '2', spec }, 9000).unchangedSince).toBe(9000);
});
