import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { VMRestore } from '../../../src/crds/vmrestore.ts';
import {
  decideDeletion,
  type DeletionWorld,
  removesData,
  SWEEP_AGAIN_MS,
} from '../../../src/domain/deletion/decide-deletion.ts';
import { DATA_FINALIZER, DELETE_WITH_ANNOTATION } from '../../../src/domain/labels.ts';
import { claimsOnly, restore } from '../restore/builders.ts';
import { ago, backup, execution, goodBackup, NOW, plan, repository } from '../builders.ts';

interface Link {
  readonly on?: string;
  readonly chain?: string;
  readonly deleted?: boolean;
  readonly spec?: Partial<VMBackup['spec']>;
  readonly annotations?: Record<string, string>;
}

/** A committed backup that stands on another; `deleted`: a minute ago, with its data. */
function link(name: string, { on, chain = 'c1', deleted = false, spec, annotations }: Link = {}): VMBackup {
  const type = on === undefined ? 'Full' : 'Incremental';
  const made = goodBackup(name, {
    ...(deleted && { deletedAt: ago(60) }),
    spec: { ...(deleted && { deletionPolicy: 'Delete' }), ...spec },
    plan: {
      chain: { id: chain, position: on === undefined ? 0 : 1 },
      disks: [
        {
          volume: 'root',
          type,
          reason: 'so',
          ...(on !== undefined && { parentPath: `c/shop/db-aaaaaaaa/${on}` }),
        },
      ],
    },
    execution: { disks: [{ volume: 'root', type, reason: 'so', tracked: true }] },
  });
  return {
    ...made,
    metadata: { ...made.metadata, ...(deleted && { finalizers: [DATA_FINALIZER] }), annotations },
    status: { ...made.status, chain: { id: chain, position: 0 } },
  };
}

function deletion(subject: VMBackup, changes: Partial<DeletionWorld> = {}): DeletionWorld {
  return {
    backup: subject,
    siblings: [],
    restores: [],
    hasJob: false,
    namespaceDeleted: false,
    repository: repository(),
    clusterId: 'c',
    ...changes,
  };
}

const decide = (world: DeletionWorld) => decideDeletion(world, NOW);
const summary = (world: DeletionWorld) => {
  const { kind, why } = decide(world);
  return `${kind} ${why.reason}`;
};
const wish = (value: string) => ({ [DELETE_WITH_ANNOTATION]: value });

describe('the object goes and the data stays', () => {
  test.each<[string, DeletionWorld, string]>([
    ['by default', deletion(link('a', { deleted: true, spec: { deletionPolicy: 'Retain' } })), 'Retained'],
    [
      'when its namespace is deleted, whatever the policy says',
      deletion(link('a', { deleted: true }), { namespaceDeleted: true }),
      'NamespaceDeleted',
    ],
    [
      'when another cluster took it',
      deletion(
        link('a', {
          deleted: true,
          spec: { imported: { cluster: 'other', path: 'other/shop/db/a', uid: 'u' } },
        }),
      ),
      'TakenByAnotherCluster',
    ],
    [
      'when it was never begun',
      deletion(backup({ deletedAt: ago(60), spec: { deletionPolicy: 'Delete' } })),
      'NoData',
    ],
  ])('%s', (_, world, reason) => {
    expect(summary(world)).toBe(`Release ${reason}`);
  });

  test('a repository that is away does not keep an object whose policy was set to Retain', () => {
    const let_go = link('a', { deleted: true, spec: { deletionPolicy: 'Retain', hold: true } });
    expect(summary(deletion(let_go, { repository: undefined }))).toBe('Release Retained');
  });
});

/** The backup of a stopped VM, deleted so many seconds ago while its Job worked. */
function runningJob(deletedSecondsAgo: number): VMBackup {
  return backup({
    deletedAt: ago(deletedSecondsAgo),
    spec: { deletionPolicy: 'Delete' },
    status: {
      plan: plan({ nodeName: '', job: 'b-1' }),
      execution: { attempt: 1, agent: 'b-1', startedAt: ago(90) },
    },
  });
}

describe('a running backup of a stopped VM', () => {
  test('is over as soon as its Job and its pods are gone', () => {
    const { why, ...decision } = decide(deletion(runningJob(60), { hasJob: true }));
    expect(decision).toEqual({ kind: 'Wait', afterMs: 5000 });
    expect(why.message).toBe("Job 'b-1', which takes the backup, is being stopped first.");
    expect(summary(deletion(runningJob(60)))).toBe('Sweep WaitingForSweep');
    expect(summary(deletion(runningJob(2)))).toBe('Wait Settling');
  });

  test('holds nobody up for ever when its node is dead', () => {
    expect(summary(deletion(runningJob(601), { hasJob: true }))).toBe('Sweep WaitingForSweep');
  });
});

describe('the object waits, and says for what', () => {
  const base = link('a', { deleted: true });
  test.each<[string, DeletionWorld, string]>([
    ['for hold to be taken off', deletion(link('a', { deleted: true, spec: { hold: true } })), 'Held'],
    ['for its repository to be made again', deletion(base, { repository: undefined }), 'RepositoryNotFound'],
    [
      'for its repository to come back',
      deletion(base, { repository: repository('False') }),
      'RepositoryNotReady',
    ],
    [
      'for a backup that stands on it',
      deletion(base, { siblings: [base, link('b', { on: 'a' })] }),
      'HasDescendants',
    ],
    [
      'for one that stands on it by way of another that goes too, and is held',
      deletion(base, {
        siblings: [link('b', { on: 'a', deleted: true }), link('c', { on: 'b', spec: { hold: true } })],
      }),
      'HasDescendants',
    ],
    [
      'for one that is being made on top of it',
      deletion(base, {
        siblings: [
          backup({
            name: 'running',
            status: {
              plan: plan({
                type: 'Incremental',
                disks: [
                  { volume: 'root', type: 'Incremental', reason: 'so', parentPath: 'c/shop/db-aaaaaaaa/a' },
                ],
              }),
            },
          }),
        ],
      }),
      'HasDescendants',
    ],
    [
      'for the agent to end it',
      deletion(
        backup({
          deletedAt: ago(60),
          spec: { deletionPolicy: 'Delete' },
          status: { plan: plan(), execution: { attempt: 1, agent: 'n1', startedAt: ago(90) } },
        }),
      ),
      'BackupRunning',
    ],
    [
      'for the Job of a stopped VM to be stopped',
      deletion(runningJob(60), { hasJob: true }),
      'BackupRunning',
    ],
    [
      'for what was planned at the same instant',
      deletion({ ...base, metadata: { ...base.metadata, deletionTimestamp: ago(1) } }),
      'Settling',
    ],
    [
      'for what stands on it and was deleted just now, to be ripe for the same sweep',
      deletion(base, {
        siblings: [
          {
            ...link('b', { on: 'a', deleted: true }),
            metadata: { ...link('b', { deleted: true }).metadata, deletionTimestamp: ago(1) },
          },
        ],
      }),
      'Settling',
    ],
    [
      'a while, after a sweep in vain',
      deletion({
        ...base,
        status: { ...base.status, removal: { at: ago(30), reason: 'TargetDenied', message: 'denied.' } },
      }),
      'TargetDenied',
    ],
  ])('%s', (_, world, reason) => {
    expect(summary(world)).toBe(`Wait ${reason}`);
  });

  test('every message says what to do about the long waits', () => {
    for (const world of [
      deletion(link('a', { deleted: true, spec: { hold: true } })),
      deletion(base, { repository: undefined }),
      deletion(base, { repository: repository('False') }),
    ])
      expect(decide(world).why.message).toContain('Retain');
  });
});

describe('a sweep takes it', () => {
  const base = link('a', { deleted: true });
  test('when nothing live stands on it: what goes too is taken with it, leaf first', () => {
    const siblings = [base, link('b', { on: 'a', deleted: true }), link('other', { chain: 'c2' })];
    expect(decide(deletion(base, { siblings }))).toMatchObject({ kind: 'Sweep', scope: 'Nothing' });
  });
  test('again, after a sweep in vain, when its time has come', () => {
    const removal = { at: ago(SWEEP_AGAIN_MS / 1000), reason: 'TargetDenied', message: 'denied.' };
    expect(summary(deletion({ ...base, status: { ...base.status, removal } }))).toBe('Sweep WaitingForSweep');
  });
  test('at once, when the wish has changed since the sweep found descendants that have no object', () => {
    const removal = { at: ago(1), reason: 'HasDescendants', message: 'so.' };
    const wished = link('a', { deleted: true, annotations: wish('Following') });
    expect(decide(deletion({ ...wished, status: { ...wished.status, removal } }))).toMatchObject({
      kind: 'Sweep',
      scope: 'Following',
    });
  });
  test('a minute later, when the sweep had the wish already, and could not', () => {
    const swept = (seconds: number) => {
      const removal = { at: ago(seconds), reason: 'HasDescendants', message: 'so.', with: 'Chain' } as const;
      const wished = link('a', { deleted: true, annotations: wish('Chain') });
      return summary(deletion({ ...wished, status: { ...wished.status, removal } }));
    };
    expect(swept(59)).toBe('Wait HasDescendants');
    expect(swept(60)).toBe('Sweep WaitingForSweep');
  });
  test('when its attempt failed: a late commit may have left data', () => {
    const failed = backup({
      deletedAt: ago(60),
      spec: { deletionPolicy: 'Delete' },
      status: {
        plan: plan(),
        execution: execution({ error: { reason: 'CopyFailed', message: 'so.', final: true } }),
      },
    });
    expect(summary(deletion(failed))).toBe('Sweep WaitingForSweep');
  });
});

describe('explicit wishes', () => {
  const chain = [link('a'), link('b', { on: 'a' }), link('c', { on: 'b' }), link('other', { chain: 'c2' })];
  const named = (world: DeletionWorld) => {
    const decision = decide(world);
    return decision.kind === 'Spread'
      ? decision.backups.map(({ metadata }) => metadata.name).sort()
      : decision.kind;
  };
  test('Following: all that stands on it goes, and nothing beneath it', () => {
    const b = link('b', { on: 'a', deleted: true, annotations: wish('Following') });
    expect(named(deletion(b, { siblings: chain }))).toEqual(['c']);
  });
  test('Chain: the whole chain goes, and no other', () => {
    const b = link('b', { on: 'a', deleted: true, annotations: wish('Chain') });
    expect(named(deletion(b, { siblings: chain }))).toEqual(['a', 'c']);
  });
  test('one that is held holds all of them', () => {
    const held = [chain[0]!, chain[1]!, link('c', { on: 'b', spec: { hold: true } })];
    const b = link('b', { on: 'a', deleted: true, annotations: wish('Chain') });
    const decision = decide(deletion(b, { siblings: held }));
    expect(decision).toMatchObject({ kind: 'Wait', why: { reason: 'Held' } });
    expect(decision.why.message).toContain('c');
  });
  test('a word that is not understood asks for nothing', () => {
    const b = link('b', { on: 'a', deleted: true, annotations: wish('everything') });
    expect(summary(deletion(b, { siblings: chain }))).toBe('Wait HasDescendants');
  });
});

test('the finalizer is there for data that goes with the object, and for no other', () => {
  const imported = { cluster: 'other', path: 'p', uid: 'u' };
  expect(removesData(link('a'), 'c')).toBe(false);
  expect(removesData(link('a', { spec: { deletionPolicy: 'Delete' } }), 'c')).toBe(true);
  expect(removesData(link('a', { spec: { deletionPolicy: 'Delete', imported } }), 'c')).toBe(false);
  expect(removesData(link('a', { spec: { deletionPolicy: 'Delete', imported } }), 'other')).toBe(true);
});

test('property: what a sweep may take never has a live descendant, whatever the family looks like', () => {
  const member = fc.record({ on: fc.nat(8), deleted: fc.boolean(), hold: fc.boolean() });
  fc.assert(
    fc.property(fc.array(member, { minLength: 1, maxLength: 9 }), (rows) => {
      const family = rows.map(({ on, deleted, hold }, index) =>
        link(`b${index}`, {
          ...(index > 0 && { on: `b${on % index}` }),
          deleted,
          spec: { hold, ...(deleted && { deletionPolicy: 'Delete' }) },
        }),
      );
      const stays = (each: VMBackup) =>
        each.metadata.deletionTimestamp === undefined || each.spec.hold === true;
      const parentOf = (each: VMBackup) => each.status?.plan?.disks[0]?.parentPath;
      const isUnder = (low: VMBackup, high: VMBackup | undefined): boolean => {
        const parent = family.find(
          ({ status }) => high !== undefined && status?.plan?.path === parentOf(high),
        );
        return parent !== undefined && (parent === low || isUnder(low, parent));
      };
      for (const subject of family.filter(({ metadata }) => metadata.deletionTimestamp !== undefined)) {
        if (decide(deletion(subject, { siblings: family })).kind !== 'Sweep') continue;
        expect(family.filter((other) => stays(other) && isUnder(subject, other))).toEqual([]);
      }
    }),
  );
});

describe('a backup that a restore reads', () => {
  const base = link('base', { deleted: true });
  const next = link('next', { on: 'base', deleted: true });
  const siblings = [base, next];
  const reading = (source: VMRestore['spec']['source'], status?: VMRestore['status']) =>
    restore(claimsOnly, { source }, status);
  const at = { repository: 'nas', path: next.status?.plan?.path ?? '' };
  const over = { completedAt: ago(5) };

  test.each<[string, VMRestore]>([
    ['by name', reading({ backupName: 'next' })],
    ['by path', reading({ repositoryPath: at })],
    [
      'by plan, whatever bears its name now',
      reading({ backupName: 'gone' }, { plan: { ...at, claims: [] } }),
    ],
  ])('%s, keeps its data and that of all it stands on', (_, reader) => {
    for (const backup of siblings)
      expect(decide(deletion(backup, { siblings, restores: [reader] }))).toMatchObject({
        kind: 'Wait',
        why: { reason: 'BeingRestored', message: expect.stringContaining('VMRestore shop/r reads it') },
      });
  });

  test('is swept once that is over, and one beside it at any time', () => {
    const others = [reading({ backupName: 'next' }, over), reading({ backupName: 'other' })];
    expect(decide(deletion(next, { siblings, restores: others })).kind).toBe('Sweep');
    const ofBase = [reading({ backupName: 'base' })];
    expect(decide(deletion(next, { siblings, restores: ofBase })).kind).toBe('Sweep');
  });
});
