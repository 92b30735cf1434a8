import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { admit, PRIORITY_STEP_MS, RESERVE_AFTER_MS } from '../../../src/domain/admission/admit.ts';
import type { Claim, Contender } from '../../../src/domain/admission/contender.ts';

const MINUTE = 60_000;
const NOW = 1_000 * MINUTE;

function claim(key: string, limit: number): Claim {
  return { key, limit, limitedBy: `at ${key}` };
}

const onNode = (node: string, limit = 1) => claim(`node/${node}`, limit);
const into = (repository: string, limit = 1) => claim(`repository/${repository}`, limit);

function contender(uid: string, changes: Partial<Contender> = {}): Contender {
  const claims = [into('nas')];
  return {
    ...{ uid, repository: 'nas', isRunning: false, createdAt: NOW - 5 * MINUTE, priority: 0, claims },
    ...changes,
  };
}

function begins(contenders: readonly Contender[], now = NOW): readonly string[] {
  return [...admit(contenders, now)].filter(([, turn]) => turn.kind === 'Begin').map(([uid]) => uid);
}

describe('whose turn it is', () => {
  test('the latest goes first, and the others are told their place', () => {
    const turns = admit(
      [
        contender('young', { createdAt: NOW - MINUTE }),
        contender('old', { createdAt: NOW - 9 * MINUTE }),
        contender('middle'),
      ],
      NOW,
    );
    expect(turns.get('old')).toEqual({ kind: 'Begin' });
    expect(turns.get('middle')).toMatchObject({ kind: 'Queued', place: 1, of: 2 });
    expect(turns.get('young')).toMatchObject({ kind: 'Queued', place: 2, of: 2 });
  });

  test('a step of priority makes up for a quarter of an hour, and not for more', () => {
    const urgent = contender('urgent', { priority: 1, createdAt: NOW });
    const late = (ms: number) => contender('late', { createdAt: NOW - ms });
    expect(begins([late(PRIORITY_STEP_MS - 1), urgent])).toEqual(['urgent']);
    expect(begins([late(PRIORITY_STEP_MS + 1), urgent])).toEqual(['late']);
  });

  test('who waits for a busy node holds up nobody on another one', () => {
    const claims = (node: string) => [into('nas', 9), onNode(node)];
    const running = contender('running', { isRunning: true, claims: claims('n1') });
    const first = contender('first', { createdAt: NOW - 9 * MINUTE, claims: claims('n1') });
    const second = contender('second', { claims: claims('n2') });
    expect(begins([running, first, second])).toEqual(['second']);
    expect(admit([running, first], NOW).get('first')).toMatchObject({ waitsFor: { key: 'node/n1' } });
  });

  test('who waited long for one slot keeps the other one free', () => {
    const running = contender('running', { isRunning: true });
    const late = contender('late', {
      createdAt: NOW - RESERVE_AFTER_MS,
      claims: [into('nas'), onNode('n1')],
    });
    const other = contender('other', { repository: 'attic', claims: [into('attic'), onNode('n1')] });
    expect(begins([running, late, other])).toEqual([]);
    expect(begins([running, { ...late, createdAt: NOW - MINUTE }, other])).toEqual(['other']);
  });
});

const anyContender = fc.record({
  uid: fc.uuid(),
  node: fc.constantFrom('n1', 'n2', 'n3'),
  repository: fc.constantFrom('nas', 'attic'),
  namespace: fc.constantFrom('shop', 'bank'),
  createdAt: fc.integer({ min: 0, max: NOW }),
  priority: fc.integer({ min: -10, max: 10 }),
  minutes: fc.integer({ min: 1, max: 30 }),
});

/** Two on each node, three in each repository, two of a namespace in one. */
function lawful(wish: typeof anyContender extends fc.Arbitrary<infer T> ? T : never): Contender {
  const { uid, node, repository, namespace, createdAt, priority } = wish;
  const claims = [onNode(node, 2), into(repository, 3), claim(`namespace/${repository}/${namespace}`, 2)];
  return { uid, repository, createdAt, priority, claims, isRunning: false };
}

function usage(running: readonly Contender[]): ReadonlyMap<string, number> {
  const used = new Map<string, number>();
  for (const { key } of running.flatMap(({ claims }) => claims)) used.set(key, (used.get(key) ?? 0) + 1);
  return used;
}

describe('always', () => {
  test('no limit is passed, and who may not begin lacks a slot', () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyContender, { selector: ({ uid }) => uid, maxLength: 40 }), (wishes) => {
        const all = wishes.map(lawful);
        const turns = admit(all, NOW);
        const begun = all.filter(({ uid }) => turns.get(uid)?.kind === 'Begin');
        const used = usage(begun);
        for (const { claims } of begun)
          for (const { key, limit } of claims) expect(used.get(key)).toBeLessThanOrEqual(limit);
        expect(turns.size).toBe(all.length);
        for (const turn of turns.values())
          if (turn.kind === 'Queued') expect(turn.place).toBeLessThanOrEqual(turn.of);
        if (all.length > 0) expect(begun.length).toBeGreaterThan(0);
      }),
    );
  });

  test('nobody starves, however many come after him, whatever their priority', () => {
    fc.assert(
      fc.property(fc.array(anyContender, { minLength: 5, maxLength: 30 }), fc.integer(), (pool, seed) => {
        // Two newcomers that matter more come each minute, for ever: only those of the first half hour may go before the poor one.
        const poor: Contender = {
          ...lawful({ ...pool[0]!, uid: 'poor', createdAt: 0, priority: -1 }),
          createdAt: 0,
        };
        let waiting: Contender[] = [poor];
        let running: (Contender & { endsAt: number })[] = [];
        let next = Math.abs(seed % pool.length);
        for (let minute = 0; minute < 48 * 60; minute++) {
          const now = minute * MINUTE;
          running = running.filter(({ endsAt }) => endsAt > now);
          for (let newcomer = 0; newcomer < 2; newcomer++) {
            const wish = pool[next++ % pool.length]!;
            waiting.push(lawful({ ...wish, uid: `${minute}-${newcomer}`, createdAt: now, priority: 1 }));
          }
          const turns = admit([...waiting, ...running.map((it) => ({ ...it, isRunning: true }))], now);
          const begun = waiting.filter(({ uid }) => turns.get(uid)?.kind === 'Begin');
          if (begun.some(({ uid }) => uid === 'poor')) return;
          const duration = pool[next % pool.length]!.minutes * MINUTE;
          for (const it of begun) running.push({ ...it, endsAt: now + duration });
          waiting = waiting.filter(({ uid }) => turns.get(uid)?.kind !== 'Begin').slice(0, 70);
        }
        throw new Error('the poor one waited for two days');
      }),
      { numRuns: 10 },
    );
  });
});
