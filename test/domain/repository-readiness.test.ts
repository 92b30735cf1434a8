import { describe, expect, test } from 'vitest';
import type { Lease } from '../../src/crds/core.ts';
import { readAgents } from '../../src/domain/agent-report.ts';
import { sumReadiness } from '../../src/domain/repository-readiness.ts';
import { agent, ago, NOW } from './builders.ts';

const good = { ready: true, reason: 'Ready', message: 'ok', freeBytes: 5, capacityBytes: 10, at: ago(10) };
const bad = { ready: false, reason: 'NotReachable', message: 'No route to host.', at: ago(10) };

function lease(changes: { spec?: object; annotation?: string; labels?: Record<string, string> } = {}): Lease {
  const labels = changes.labels ?? { 'app.kubernetes.io/component': 'node-agent' };
  const annotations = {
    'backup.tidemark.dev/repositories': changes.annotation ?? JSON.stringify({ nas: good }),
  };
  return {
    metadata: { name: 'a', uid: 'u', labels, annotations },
    spec: {
      holderIdentity: 'n1',
      renewTime: ago(10).replace('Z', '.000000Z'),
      leaseDurationSeconds: 40,
      ...changes.spec,
    },
  };
}

describe('an agent', () => {
  test('is read from its Lease', () => {
    expect(readAgents([lease()], NOW)).toEqual([
      { nodeName: 'n1', seenAt: NOW - 10_000, alive: true, repositories: { nas: good } },
    ]);
  });

  test.each([
    ['lives for three times the duration of its Lease', ago(120), true],
    ['is gone after that', ago(121), false],
  ])('%s', (_, renewTime, alive) => {
    expect(readAgents([lease({ spec: { renewTime } })], NOW)).toMatchObject([{ alive }]);
  });

  test.each([
    [
      'whose clock is ten minutes behind lives as long as its Lease moves',
      ago(630),
      { at: NOW - 120_000, moved: true },
      true,
    ],
    [
      'whose clock is right is gone when its Lease has stood still',
      ago(10),
      { at: NOW - 120_001, moved: true },
      false,
    ],
    ['that we have just met lives if its Lease says so', ago(10), { at: NOW, moved: false }, true],
    ['that we have just met is gone if its Lease is old', ago(600), { at: NOW, moved: false }, false],
    [
      'that we have just met is gone if its Lease is of the future',
      ago(-600),
      { at: NOW, moved: false },
      false,
    ],
  ])('%s', (_, renewTime, sighting, alive) => {
    const [read] = readAgents([lease({ spec: { renewTime } })], NOW, () => sighting);
    expect(read).toMatchObject({ alive, seenAt: sighting.at });
  });

  test.each([
    ['of something else', { labels: {} }],
    ['that nobody holds', { spec: { holderIdentity: '' } }],
    ['that was never renewed', { spec: { renewTime: undefined } }],
  ])('is not seen in a Lease %s', (_, changes) => {
    expect(readAgents([lease(changes)], NOW)).toEqual([]);
  });

  test.each(['', '{', 'null', '[]', '{"nas":{"ready":"yes"}}', '{"nas":1}'])(
    'whose report is %j has reported nothing',
    (annotation) => {
      expect(readAgents([lease({ annotation })], NOW)).toMatchObject([{ nodeName: 'n1', repositories: {} }]);
    },
  );
});

describe('a repository', () => {
  test.each([
    [
      'no agent lives',
      [agent({ alive: false, repositories: { nas: good } })],
      false,
      'NoAgentReported',
      'check that the DaemonSet',
    ],
    [
      'no agent has looked',
      [agent(), agent({ nodeName: 'n2' })],
      false,
      'NoAgentReported',
      '2 node agents run, and none has looked',
    ],
    [
      'all can write',
      [agent({ repositories: { nas: good } })],
      true,
      'Ready',
      '1 of 1 node can write to it.',
    ],
    [
      'some can write',
      [agent({ repositories: { nas: good } }), agent({ nodeName: 'n2', repositories: { nas: bad } })],
      true,
      'Ready',
      '1 of 2 nodes can write to it. n2: NotReachable: No route to host.',
    ],
    [
      'none can write, for one reason',
      [agent({ repositories: { nas: bad } })],
      false,
      'NotReachable',
      '0 of 1 node can write',
    ],
    [
      'none can write, for several reasons',
      [
        agent({ repositories: { nas: bad } }),
        agent({ nodeName: 'n2', repositories: { nas: { ...bad, reason: 'ReadOnly' } } }),
      ],
      false,
      'NotReachable',
      'n1: NotReachable: No route to host.; n2: ReadOnly',
    ],
  ] as const)('when %s', (_, agents, ready, reason, sentence) => {
    const readiness = sumReadiness('nas', agents);
    expect(readiness).toMatchObject({ ready, reason });
    expect(readiness.message).toContain(sentence);
  });

  test('tells the space that was seen last', () => {
    const older = { ...good, freeBytes: 9, at: ago(50) };
    const agents = [
      agent({ repositories: { nas: older } }),
      agent({ nodeName: 'n2', repositories: { nas: good } }),
    ];
    expect(sumReadiness('nas', agents)).toMatchObject({
      nodes: 2,
      readyNodes: 2,
      freeBytes: 5,
      capacityBytes: 10,
    });
  });

  test('does not name a thousand nodes', () => {
    const agents = Array.from({ length: 1000 }, (_, i) =>
      agent({ nodeName: `n${i}`, repositories: { nas: bad } }),
    );
    expect(sumReadiness('nas', agents).message).toMatch(/; and 997 more$/);
  });
});
