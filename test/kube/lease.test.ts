import { describe, expect, test } from 'vitest';
import { isAlive, microTime } from '../../src/kube/lease.ts';

const renewTime = '2026-01-01T00:00:00.000000Z';

describe('the holder of a lease', () => {
  test.each([
    {
      name: 'lives while it renews',
      spec: { renewTime, leaseDurationSeconds: 40 },
      at: '2026-01-01T00:00:39Z',
      alive: true,
    },
    {
      name: 'is gone after its time',
      spec: { renewTime, leaseDurationSeconds: 40 },
      at: '2026-01-01T00:00:40Z',
      alive: false,
    },
    {
      name: 'never lived without a renewal',
      spec: { leaseDurationSeconds: 40 },
      at: '2026-01-01T00:00:00Z',
      alive: false,
    },
    { name: 'never lived without a spec', spec: undefined, at: '2026-01-01T00:00:00Z', alive: false },
  ])('$name', ({ spec, at, alive }) => {
    expect(isAlive(spec, new Date(at))).toBe(alive);
  });

  test('writes time to the microsecond', () => {
    expect(microTime(new Date('2026-01-01T00:00:00.120Z'))).toBe('2026-01-01T00:00:00.120000Z');
  });
});
