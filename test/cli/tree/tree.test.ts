import { describe, expect, test } from 'vitest';
import { plain } from '../../../src/cli/screen/style.ts';
import { treeOf } from '../../../src/cli/tree/chains.ts';
import { treeLines } from '../../../src/cli/tree/screen.ts';
import type { VMBackup } from '../../../src/crds/vmbackup.ts';
import { ago, backup, execution, failure, goodBackup, NOW, plan, VM_UID } from '../../domain/builders.ts';

const HOUR = 3600;

/** A good backup: its place in its chain, and how many hours ago. */
function good(name: string, chain: string, position: number, hours: number, reason: string): VMBackup {
  const type = position === 0 ? 'Full' : 'Incremental';
  const disk = {
    volume: 'root',
    type,
    reason,
    tracked: true,
    storedBytes: 2 ** 20 * (position + 1),
  } as const;
  return goodBackup(name, {
    plan: { type, reason, chain: { id: chain, position }, bitmap: `backup-${1_000_000 - hours}` },
    execution: { pointInTime: ago(hours * HOUR), disks: [disk] },
  });
}

const lines = (backups: readonly VMBackup[], vmUid: string | undefined = VM_UID) =>
  treeLines(treeOf('db', 'shop', backups, vmUid), { paint: plain, now: NOW }).join('\n');

describe('the tree of a VM', () => {
  test('draws chains under their repository, oldest first, with what each backup is and why', () => {
    const backups = [
      good('kill', 'chain-22', 0, 3, 'BitmapMissing'),
      good('two', 'chain-11', 1, 8, 'ChangedSinceParent'),
      good('one', 'chain-11', 0, 9, 'NoEarlierBackup'),
    ];
    expect(`\n${lines(backups)}\n`).toBe(`
db in shop: 3 good backups in 2 chains, 4.0Mi stored
└─ nas
   ├─ chain chain-11, begun 9h ago, 3.0Mi
   │  ├─ 0   Full          1.0Mi   9h ago   one    NoEarlierBackup
   │  └─ 1   Incremental   2.0Mi   8h ago   two    ChangedSinceParent
   └─ chain chain-22, begun 3h ago, 1.0Mi
      └─ 0   Full          1.0Mi   3h ago   kill   BitmapMissing
`);
  });

  test('says which position no VMBackup tells of', () => {
    const backups = [good('one', 'c', 0, 9, 'x'), good('three', 'c', 2, 7, 'x')];
    expect(lines(backups)).toContain(
      '(no VMBackup tells of position 1: the data may still be in the repository)',
    );
  });

  test('tells chains of an earlier VM of this name, and a VM that is gone', () => {
    const backups = [good('one', 'c', 0, 9, 'x')];
    expect(lines(backups, 'another-uid')).toContain('(of an earlier VM of this name)');
    expect(lines(backups, undefined)).toContain('1 good backup in 1 chain');
  });

  test('names the disks that got a full within an incremental', () => {
    const mixed = goodBackup('mixed', {
      plan: { type: 'Incremental', reason: 'ChangedSinceParent', chain: { id: 'c', position: 1 } },
      execution: {
        disks: [
          { volume: 'root', type: 'Incremental', reason: 'ChangedSinceParent', tracked: true },
          { volume: 'data', type: 'Full', reason: 'BitmapMissing', tracked: true },
        ],
      },
    });
    expect(lines([mixed])).toContain('ChangedSinceParent (full: data)');
  });

  test('lists backups without data below, with why', () => {
    const failed = backup({
      name: 'bad',
      status: {
        plan: plan(),
        execution: execution({ error: { ...failure, final: true }, completedAt: ago(1) }),
      },
    });
    const running = backup({
      name: 'now',
      status: { plan: plan(), execution: execution({ completedAt: undefined }) },
    });
    const shown = lines([failed, running, backup({ name: 'new' })]);
    expect(shown).toMatch(/Without data\n {2}bad +Failed +CopyFailed\n {2}now +Running\n {2}new +Pending/);
  });

  test('passes over other VMs, and says so when nothing is left', () => {
    const other = backup({ name: 'other', spec: { vmName: 'web' } });
    expect(lines([other])).toBe("There is no backup of VirtualMachine 'db' in namespace 'shop'.");
  });
});
