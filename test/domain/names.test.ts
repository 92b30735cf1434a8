import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bitmapSeconds, nextBitmapName } from '../../src/domain/bitmap-name.ts';
import { isScheduledFor, labelValue, scheduledLabels } from '../../src/domain/labels.ts';
import { backupId, backupPath, vmDirectory } from '../../src/domain/names.ts';
import { runName, slotRunId } from '../../src/domain/schedule/run-name.ts';

const dns1123 = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelText = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const uid = '1f2aebca-36d1-4a55-9b1e-000000000000';

function idAt(seconds: number, uid: string): string {
  return backupId(new Date(seconds * 1000).toISOString(), uid);
}

describe('places in the repository', () => {
  test('a backup is named by its time and its UID', () => {
    expect(backupId('2026-11-23T17:47:45Z', uid)).toBe('20261123T174745Z-1f2aebca');
    expect(backupId('2026-11-23T18:47:45.250+01:00', uid)).toBe('20261123T174745Z-1f2aebca');
  });

  test('a VM that was made anew has another directory', () => {
    expect(vmDirectory('db', uid)).toBe('db-1f2aebca');
  });

  test('the path tells cluster, namespace, VM and backup', () => {
    const place = {
      clusterId: 'c0ffee',
      namespace: 'shop',
      vmName: 'db',
      vmUid: 'aaaaaaaa-1',
      backupUid: uid,
      backupCreatedAt: '2026-11-23T17:47:45Z',
    };
    expect(backupPath(place)).toBe('c0ffee/shop/db-aaaaaaaa/20261123T174745Z-1f2aebca');
  });

  test('backup ids sort by time', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4e9 }),
        fc.integer({ min: 1, max: 1e6 }),
        fc.uuid(),
        fc.uuid(),
        (at, later, a, b) => {
          expect(idAt(at, a) < idAt(at + later, b)).toBe(true);
        },
      ),
    );
  });
});

describe('bitmap names', () => {
  test.each([
    ['the second of the plan', 5000, [], 'backup-5000'],
    ['the next free second when the last one was used', 5000, ['backup-5000'], 'backup-5001'],
    ['higher than all, when the clock was set back', 5000, ['backup-9000', 'backup-8000'], 'backup-9001'],
    [
      'not moved by names of others',
      5000,
      ['kbk-9000', 'backup-', 'backup-12x', 'libvirt-backup-7000'],
      'backup-5000',
    ],
  ] as const)('are %s', (_, seconds, earlier, name) => {
    expect(nextBitmapName(seconds * 1000 + 999, earlier)).toBe(name);
  });

  test('rise, whatever the clock does', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 4e12 }), { maxLength: 30 }), (clock) => {
        const names: string[] = [];
        for (const now of clock) names.push(nextBitmapName(now, names));
        const seconds = names.map((name) => bitmapSeconds(name) ?? -1);
        for (const [i, second] of seconds.entries()) expect(second).toBeGreaterThan(seconds[i - 1] ?? -1);
      }),
    );
  });
});

describe('the backup of a run', () => {
  const slot = Date.parse('2026-11-23T02:00:00Z');

  test('is named after schedule, VM and minute', () => {
    expect(runName('nightly', 'db', slotRunId(slot))).toMatch(/^nightly-db-202611230200-[0-9a-z]{7}$/);
    expect(runName('nightly', 'db', slotRunId(slot + 59_999))).toBe(
      runName('nightly', 'db', slotRunId(slot)),
    );
    expect(runName('nightly', 'db', slotRunId(slot + 60_000))).not.toBe(
      runName('nightly', 'db', slotRunId(slot)),
    );
  });

  test('is not that of another schedule and VM whose names join to the same', () => {
    expect(runName('a-b', 'c', slotRunId(slot))).not.toBe(runName('a', 'b-c', slotRunId(slot)));
  });

  test('has a lawful name of at most 63 characters, however long the others are', () => {
    const part = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/);
    const dotted = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) =>
      parts
        .join('.')
        .slice(0, 253)
        .replace(/[-.]+$/, ''),
    );
    fc.assert(
      fc.property(dotted, part, fc.integer({ min: 0, max: 4e12 }), (schedule, vm, at) => {
        const name = runName(schedule, vm, slotRunId(at));
        expect(name.length).toBeLessThanOrEqual(63);
        expect(name).toMatch(dns1123);
      }),
    );
  });

  test('bears labels that lead back to the schedule and the VM', () => {
    const long = `${'schedule-'.repeat(20)}x`;
    const labels = scheduledLabels(long, 'db');
    expect(isScheduledFor(labels, long, 'db')).toBe(true);
    expect(isScheduledFor(labels, `${long}y`, 'db')).toBe(false);
    expect(isScheduledFor(labels, long, 'web')).toBe(false);
    expect(isScheduledFor(undefined, long, 'db')).toBe(false);
    expect(labelValue(long)).toMatch(labelText);
    expect(labelValue(long).length).toBeLessThanOrEqual(63);
    expect(labelValue('nightly')).toBe('nightly');
  });
});
