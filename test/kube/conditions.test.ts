import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Condition, conditionOf, conditionsFor, type Desired } from '../../src/kube/conditions.ts';

const now = new Date('2026-03-01T12:00:00.789Z');
const earlier = '2026-02-01T00:00:00Z';
const later = '2026-03-01T12:00:00Z';
const at = { generation: 3, now };

function was(type: string, status: Condition['status'], reason = 'Old', message = 'old'): Condition {
  return { type, status, reason, message, lastTransitionTime: earlier, observedGeneration: 2 };
}
function want(type: string, status: Condition['status'], reason = 'New', message = 'new'): Desired {
  return { type, status, reason, message };
}

describe('conditions', () => {
  test.each<{ name: string; desired: Desired[]; expected: [string, string, string][] }>([
    {
      name: 'Ready is True if nothing is said',
      desired: [],
      expected: [['Ready', 'True', 'Succeeded']],
    },
    {
      name: 'Ready is False with the reason of Stalled',
      desired: [want('Stalled', 'True', 'NoSuchVM')],
      expected: [
        ['Stalled', 'True', 'NoSuchVM'],
        ['Ready', 'False', 'NoSuchVM'],
      ],
    },
    {
      name: 'Ready is Unknown while Reconciling',
      desired: [want('Reconciling', 'True', 'Copying')],
      expected: [
        ['Reconciling', 'True', 'Copying'],
        ['Ready', 'Unknown', 'Copying'],
      ],
    },
    {
      name: 'a Ready that is given stands',
      desired: [want('Reconciling', 'True', 'Retrying'), want('Ready', 'False', 'CopyFailed')],
      expected: [
        ['Reconciling', 'True', 'Retrying'],
        ['Ready', 'False', 'CopyFailed'],
      ],
    },
    {
      name: 'Stalled and Reconciling are left out unless True',
      desired: [want('Stalled', 'False'), want('Reconciling', 'Unknown'), want('Ready', 'True')],
      expected: [['Ready', 'True', 'New']],
    },
    {
      name: 'they are sorted, the kind’s own last and by name',
      desired: [
        want('Zoned', 'False'),
        want('Ready', 'True'),
        want('Assigned', 'True'),
        want('Reconciling', 'True'),
      ],
      expected: [
        ['Reconciling', 'True', 'New'],
        ['Ready', 'True', 'New'],
        ['Assigned', 'True', 'New'],
        ['Zoned', 'False', 'New'],
      ],
    },
  ])('$name', ({ desired, expected }) => {
    const got = conditionsFor([], desired, at);
    expect(got.map(({ type, status, reason }) => [type, status, reason])).toEqual(expected);
  });

  test.each([
    { name: 'stays when only reason and message change', before: was('Ready', 'True'), moved: false },
    { name: 'moves when the status changes', before: was('Ready', 'False'), moved: true },
    { name: 'begins with the condition', before: was('Assigned', 'True'), moved: true },
  ])('lastTransitionTime $name', ({ before, moved }) => {
    const got = conditionOf(conditionsFor([before], [want('Ready', 'True')], at), 'Ready');
    expect(got).toEqual({
      type: 'Ready',
      status: 'True',
      reason: 'New',
      message: 'new',
      lastTransitionTime: moved ? later : earlier,
      observedGeneration: 3,
    });
  });

  test('what is not desired any more is gone', () => {
    const got = conditionsFor([was('Stalled', 'True'), was('Old', 'True')], [want('Ready', 'True')], at);
    expect(got.map(({ type }) => type)).toEqual(['Ready']);
  });

  test('a message is cut to what is shown, and never to half a character', () => {
    const [long] = conditionsFor([], [want('Ready', 'False', 'Bad', `${'x'.repeat(1022)}😀😀`)], at);
    expect(long?.message).toHaveLength(1024);
    expect(long?.message.endsWith('…')).toBe(true);
    expect(long?.message.isWellFormed()).toBe(true);
  });

  test('saying the same again changes nothing, so that nothing is written', () => {
    const desired = fc.uniqueArray(
      fc.record({
        type: fc.constantFrom('Ready', 'Stalled', 'Reconciling', 'Assigned', 'Verified'),
        status: fc.constantFrom('True' as const, 'False' as const, 'Unknown' as const),
        reason: fc.constantFrom('A', 'B'),
        message: fc.string(),
      }),
      { selector: ({ type }) => type },
    );
    fc.assert(
      fc.property(desired, desired, (first, second) => {
        const once = conditionsFor(conditionsFor([], first, at), second, at);
        const again = conditionsFor(once, second, { ...at, now: new Date('2027-01-01T00:00:00Z') });
        expect(again).toEqual(once);
        expect(again.filter(({ type }) => type === 'Ready')).toHaveLength(1);
      }),
    );
  });
});
