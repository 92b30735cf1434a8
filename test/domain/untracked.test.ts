import { describe, expect, test } from 'vitest';
import type { VirtualMachineInstance } from '../../src/crds/kubevirt.ts';
import { missesWrites, UNTRACKED_AT_ANNOTATION } from '../../src/domain/untracked.ts';
import { backup, goodBackup, instance, virtualMachine } from './builders.ts';

const good = goodBackup('b', { execution: { bitmapCreated: 'backup-1000' } });

function runs(state: string | undefined, phase = 'Running'): VirtualMachineInstance {
  const vmi = instance();
  const tracking = state === undefined ? {} : { changedBlockTracking: { state } };
  return { ...vmi, status: { ...vmi.status, phase, ...tracking } };
}

function marked(at: string) {
  const annotations = { ...virtualMachine.metadata.annotations, [UNTRACKED_AT_ANNOTATION]: at };
  return { ...virtualMachine, metadata: { ...virtualMachine.metadata, annotations } };
}

describe('a VM that runs without change tracking', () => {
  test.each([undefined, 'Disabled', 'PendingRestart', 'IncrementalBackupFeatureGateDisabled'])(
    'is marked when a good backup left a bitmap (state: %s)',
    (state) => expect(missesWrites(virtualMachine, runs(state), [good])).toBe(true),
  );

  test.each(['Enabled', 'Initializing'])('is not one whose state is %s', (state) =>
    expect(missesWrites(virtualMachine, runs(state), [good])).toBe(false),
  );

  test('is not marked while it does not run: nothing is written', () => {
    expect(missesWrites(virtualMachine, undefined, [good])).toBe(false);
    expect(missesWrites(virtualMachine, runs(undefined, 'Scheduled'), [good])).toBe(false);
    expect(missesWrites(undefined, runs(undefined), [good])).toBe(false);
  });

  test('is not marked for backups that left no bitmap', () => {
    const untracked = goodBackup('b', { execution: { bitmapCreated: undefined } });
    expect(missesWrites(virtualMachine, runs(undefined), [untracked, backup()])).toBe(false);
  });

  test('is marked once, and again only for a bitmap that began after the mark', () => {
    expect(missesWrites(marked('1970-01-01T00:16:40Z'), runs(undefined), [good])).toBe(false);
    expect(missesWrites(marked('1970-01-01T00:16:39Z'), runs(undefined), [good])).toBe(true);
  });
});
