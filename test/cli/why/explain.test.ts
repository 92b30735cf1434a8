import { describe, expect, test } from 'vitest';
import { explain } from '../../../src/cli/why/explain.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import type { VMBackupRepository } from '../../../src/crds/vmbackuprepository.ts';
import { SCHEDULE_LABEL } from '../../../src/domain/labels.ts';
import {
  ago,
  backup,
  execution,
  failure,
  goodBackup,
  NOW,
  plan,
  repository,
  repositorySpec,
} from '../../domain/builders.ts';

const nas: VMBackupRepository = {
  ...repository(),
  spec: repositorySpec({ nfs: { server: 'nas.example.com', path: '/exports/tidemark', version: '4.2' } }),
};

/** The lines under one title. */
function told(title: string, about: VMBackup, from: VMBackupRepository | undefined = nas): readonly string[] {
  return explain(about, from, NOW).find((section) => section.title === title)?.lines ?? [];
}

const incremental = goodBackup('tuesday', {
  plan: {
    type: 'Incremental',
    reason: 'ChangedSinceParent',
    message: 'What changed since monday. Volume new is not in the parent: full.',
    chain: { id: 'uid-of-monday', position: 1 },
    parent: { name: 'monday', bitmap: 'backup-999' },
    disks: [
      { volume: 'root', type: 'Incremental', reason: 'ChangedSinceParent', parentPath: 'c/shop/db/monday' },
      { volume: 'new', type: 'Full', reason: 'DiskNew' },
    ],
  },
  execution: {
    pointInTime: ago(3600 * 3),
    quiesce: { result: 'Frozen', frozenMilliseconds: 12 },
    disks: [
      {
        volume: 'root',
        type: 'Incremental',
        reason: 'ChangedSinceParent',
        tracked: true,
        sizeBytes: 10 * 2 ** 30,
        dataBytes: 2 ** 20,
        zeroBytes: 65_536,
        storedBytes: 1_258_291,
      },
      { volume: 'new', type: 'Full', reason: 'DiskNew', tracked: false },
    ],
  },
});

test('a good incremental is told from its decision to the way back', () => {
  const made = {
    ...incremental,
    metadata: { ...incremental.metadata, labels: { [SCHEDULE_LABEL]: 'nightly' } },
  };
  const text = explain(made, nas, NOW).map(({ title, lines }) => [title, ...lines].join('\n'));
  expect(text.join('\n\n')).toBe(
    `
VMBackup shop/tuesday
Of VirtualMachine db, into repository nas.
Made by VMBackupSchedule nightly, 60s ago.
Succeeded in 10 s, 1.2Mi stored.
The disks as they were at 2026-11-23T15:00:00Z, 3h ago.

Full or incremental
Incremental (ChangedSinceParent), position 1. It is number 1 after the full backup of chain uid-of-monday.
What changed since monday. Volume new is not in the parent: full.
Builds on VMBackup monday; bitmap backup-999 tells what changed since.
Decided for attempt 1, carried out by the agent on node 'n1'.

Disks
root: Incremental, ChangedSinceParent: only what changed since the parent backup
  disk of 10.0Gi, 1.0Mi of data, 64.0Ki of zeros, 1.2Mi stored, the next backup of it can be incremental
new: Full, DiskNew: the parent backup does not hold this volume
  it has no bitmap, so the next backup of it is full

Fallback
None: the parent was usable.

Quiesce
Frozen: the guest agent held the file systems still for 12 ms; spec.quiesce is IfAvailable.

Conditions
None yet: the controller has not looked at it. Check that it runs.

Where the data is
Repository: nas, nas.example.com:/exports/tidemark (NFS 4.2)
Path: c/shop/db-aaaaaaaa/tuesday

How to restore it by hand
Run where the repository can be read and tidemark-mover is installed:
  mkdir -p /mnt/tidemark && mount -t nfs -o ro,vers=4.2 nas.example.com:/exports/tidemark /mnt/tidemark
  tidemark-mover restore --from /mnt/tidemark/c/shop/db-aaaaaaaa/tuesday --volume root --to root.raw
  tidemark-mover restore --from /mnt/tidemark/c/shop/db-aaaaaaaa/tuesday --volume new --to new.raw
`.trim(),
  );
});

describe('a fallback', () => {
  const fallen = goodBackup('fallen', {
    plan: {
      type: 'Incremental',
      reason: 'ChangedSinceParent',
      message: 'What changed since monday.',
      chain: { id: 'uid-of-monday', position: 1 },
      parent: { name: 'monday', bitmap: 'backup-999' },
      disks: [{ volume: 'root', type: 'Incremental', reason: 'ChangedSinceParent', parentPath: 'p' }],
    },
    execution: {
      incrementalFallback: {
        reason: 'BitmapMissing',
        message: 'Full instead of incremental.',
        disks: ['root'],
      },
      disks: [{ volume: 'root', type: 'Full', reason: 'BitmapMissing', tracked: true }],
    },
  });

  test('tells what was planned and what was taken', () => {
    expect(told('Full or incremental', fallen)).toEqual([
      'Full (BitmapMissing), position 0. It begins chain uid-of-fallen.',
      'Planned was Incremental (ChangedSinceParent): What changed since monday.',
      "Decided for attempt 1, carried out by the agent on node 'n1'.",
    ]);
    expect(told('Disks', fallen)[0]).toBe(
      "root: Full, BitmapMissing: the parent's bitmap was not on the disk any more, as after a crash of QEMU (planned was Incremental: ChangedSinceParent)",
    );
    expect(told('Fallback', fallen)).toEqual(['BitmapMissing: Full instead of incremental.', 'Disks: root']);
  });

  test('cannot happen to a full', () => {
    expect(told('Fallback', goodBackup('full'))).toEqual(['None: a full backup needs no parent.']);
  });

  test('of an earlier attempt is not told: that attempt is over', () => {
    const again = { ...fallen, status: { ...fallen.status, plan: { ...fallen.status!.plan!, attempt: 2 } } };
    expect(told('Fallback', again)).toEqual(['Not known yet: the agent has not begun.']);
  });
});

describe('where it stands', () => {
  const running = { attempt: 1, agent: 'n1', startedAt: ago(5) };

  test.each<[string, VMBackup['status'], string]>([
    ['new', undefined, 'It has not been planned yet.'],
    ['assigned', { plan: plan() }, "The agent on node 'n1' has not begun."],
    ['running', { plan: plan(), execution: running }, 'Running on node n1, begun 5s ago.'],
    [
      'running, with progress',
      {
        plan: plan(),
        execution: { ...running, progress: { percent: 42, doneBytes: 42, totalBytes: 100 } },
      },
      'Running on node n1, begun 5s ago, 42% done.',
    ],
    [
      'tried again',
      { plan: plan(), execution: execution({ error: failure }) },
      'Attempt 1 failed and is tried again: CopyFailed: The disk is full.',
    ],
    [
      'failed',
      { plan: plan(), execution: execution({ error: { ...failure, final: true } }) },
      'Failed for good: CopyFailed: The disk is full.',
    ],
    ['succeeded', { plan: plan(), execution: execution() }, 'Succeeded in 10 s, 1.0Ki stored.'],
  ])('%s', (_, status, expected) => {
    const about = backup({ ...(status && { status }) });
    expect(told('VMBackup shop/b', about).at(-1)).toBe(expected);
  });

  test('earlier failures are counted', () => {
    const third = backup({ status: { plan: plan({ attempt: 3, failedAttempts: 2 }) } });
    expect(told('Full or incremental', third).at(-1)).toBe(
      "Decided for attempt 3, carried out by the agent on node 'n1', after 2 failed attempts.",
    );
  });

  test('the conditions are told as they are', () => {
    const condition = {
      type: 'Ready',
      status: 'Unknown',
      reason: 'VMNotRunning',
      message: 'start it.',
    } as const;
    const waits = backup({ status: { conditions: [{ ...condition, lastTransitionTime: ago(1) }] } });
    expect(told('Conditions', waits)).toEqual(['Ready=Unknown, VMNotRunning: start it.']);
  });
});

describe('the quiesce result', () => {
  const powerCut = 'so the disks hold what they would hold after a power cut';

  test.each<[VMBackup['spec']['quiesce'], NonNullable<Parameters<typeof execution>[0]>['quiesce'], string]>([
    [
      'Required',
      { result: 'Frozen' },
      'Frozen: the guest agent held the file systems still; spec.quiesce is Required.',
    ],
    [
      'IfAvailable',
      { result: 'NoAgent', message: 'none is connected.' },
      `NoAgent: no guest agent answered (none is connected), ${powerCut}; spec.quiesce is IfAvailable.`,
    ],
    [
      'IfAvailable',
      { result: 'Failed' },
      `Failed: the guest agent could not freeze the file systems, ${powerCut}; spec.quiesce is IfAvailable.`,
    ],
    ['Never', { result: 'NotAsked' }, `NotAsked: spec.quiesce is Never, ${powerCut}.`],
    ['Never', undefined, 'Nothing is known yet; spec.quiesce is Never.'],
  ])('%s, %j', (policy, quiesce, expected) => {
    const about = backup({
      spec: { quiesce: policy },
      status: { plan: plan(), execution: execution({ ...(quiesce && { quiesce }) }) },
    });
    expect(told('Quiesce', about)).toEqual([expected]);
  });
});

describe('the data', () => {
  test('of a local repository is restored from its directory', () => {
    expect(told('Where the data is', goodBackup('full'), repository())).toEqual([
      'Repository: nas, directory /srv of the nodes',
      'Path: c/shop/db-aaaaaaaa/full',
    ]);
    expect(told('How to restore it by hand', goodBackup('full'), repository())[1]).toBe(
      '  tidemark-mover restore --from /srv/c/shop/db-aaaaaaaa/full --volume root --to root.raw',
    );
  });

  test('of a repository that the user may not see is restored from a mount point', () => {
    const sections = explain(goodBackup('full'), undefined, NOW);
    expect(sections.at(-2)?.lines[0]).toMatch(/^Repository: nas \(you may not see it, or it is gone/);
    expect(sections.at(-1)?.lines).toEqual([
      'Mount the repository at /mnt/tidemark first, where tidemark-mover is installed; then:',
      '  tidemark-mover restore --from /mnt/tidemark/c/shop/db-aaaaaaaa/full --volume root --to root.raw',
    ]);
  });

  test.each<[string, VMBackup, string]>([
    ['not yet', backup(), 'There is no data yet: the backup is not complete.'],
    [
      'never',
      backup({ status: { plan: plan(), execution: execution({ error: { ...failure, final: true } }) } }),
      'There is no data: the backup failed.',
    ],
  ])('%s: no command is told', (_, about, expected) => {
    expect(told('Where the data is', about)[0]).toBe(expected);
    expect(told('How to restore it by hand', about)).toEqual([]);
  });
});
