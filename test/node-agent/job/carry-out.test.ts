import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LibvirtError } from '../../../src/node-agent/libvirt/errors.ts';
import { MoverFailed } from '../../../src/node-agent/mover-process/spawn.ts';
import { FakeNode, inspected, weather } from './fake-node.ts';

let node: FakeNode;
beforeEach(async () => {
  node = await FakeNode.make();
});
afterEach(() => node[Symbol.asyncDispose]());

const PATH = 'c/shop/db-aaaaaaaa/b';
/** As QEMU stops a guest whose scratch file found no room. */
const PAUSED = 'paused (I/O error)';

/** Throws at the n-th time that something happens. */
function at(what: string, nth: number, error: () => Error) {
  let seen = 0;
  return (event: string) => {
    if (event === what && ++seen === nth) throw error();
  };
}

describe('a backup that goes well', () => {
  test('leaves its own checkpoint, and takes away that of its parent and those that the plan calls obsolete', async () => {
    node.planIncremental({ obsoleteBitmaps: ['backup-0'] });
    node.libvirt.bitmaps.get('vda')?.set('backup-0', 'inconsistent');
    await node.carryOut();
    expect(node.execution).toMatchObject({ bitmapCreated: 'backup-2', disks: [{ type: 'Incremental' }] });
    expect(node.execution?.error).toBeUndefined();
    expect([...node.libvirt.bitmaps.get('vda')!.keys()]).toEqual(['backup-2']);
    expect(node.libvirt.job).toBeUndefined();
  });

  test('lets a guest run on that was paused in the last moment of the copy', async () => {
    node.before = (what) => {
      if (what === 'backup') node.libvirt.state = PAUSED;
    };
    await node.carryOut();
    expect(node.libvirt.state).toBe('running (unpaused)');
    expect(node.execution?.error).toBeUndefined();
  });

  test('takes away the old checkpoint although libvirtd dies in that moment, and is back a second later', async () => {
    node.planIncremental();
    let died = false;
    node.libvirt.before = ([command, , name]) => {
      if (command !== 'checkpoint-delete' || name !== 'backup-1' || died) return;
      died = true;
      throw new LibvirtError('End of file while reading data', { reason: 'ConnectFailed' });
    };
    await node.carryOut();
    expect(died).toBe(true);
    expect(node.libvirt.traces('backup-1')).toEqual([]);
    expect(node.libvirt.traces('backup-2')).toEqual(['libvirt', 'vda']);
  });

  test('is told although an old checkpoint cannot be removed, and although the leftovers cannot', async () => {
    node.planIncremental();
    node.libvirt.before = ([command, , name]) => {
      if (command === 'checkpoint-delete' && name === 'backup-1') throw new Error('QEMU says no');
    };
    node.before = at('discard', 1, () => new Error('the server is gone'));
    await node.carryOut();
    expect(node.execution).toMatchObject({ bitmapCreated: 'backup-2', completedAt: expect.any(String) });
    expect(node.execution?.error).toBeUndefined();
  });
});

describe('a repository that has no room for a backup', () => {
  test.each([
    ['full', () => node.plan({}), 'allocated'],
    ['incremental', () => node.planIncremental(), 'changed'],
  ])('is found before a job begins, with the numbers: %s', async (_, planned, word) => {
    planned();
    node.libvirt.dataBytes = 3 * 2 ** 20;
    node.freeBytes = 2 ** 20;
    await node.carryOut();
    expect(node.execution?.error).toMatchObject({
      reason: 'RepositoryTooFull',
      message: expect.stringContaining(
        `takes up to 3.0Mi ('vda' 3.0Mi ${word}), and 1.0Mi are free in the repository`,
      ),
      final: false,
    });
    expect(node.libvirt.calls.some(([command]) => command === 'backup-begin')).toBe(false);
  });

  test('is no reason to refuse what just fits', async () => {
    node.planIncremental();
    node.libvirt.dataBytes = node.freeBytes;
    await node.carryOut();
    expect(node.execution).toMatchObject({ estimatedBytes: node.freeBytes, bitmapCreated: 'backup-2' });
  });

  test('that cannot be written fails the attempt before the guest is touched', async () => {
    node.before = at('probe', 1, () => new Error('read-only file system'));
    await node.carryOut();
    expect(node.execution?.error).toMatchObject({ message: expect.stringContaining('read-only') });
    expect(node.libvirt.calls.some(([command]) => command === 'backup-begin')).toBe(false);
  });
});

describe('never a base that is later than the data', () => {
  /** A mover that was given up gets its commit through at last: data of noon. */
  const lateCommit = () =>
    node.committed.set(PATH, inspected(PATH, 'uid-of-b', 'backup-1', '2026-11-23T12:00:00Z'));

  test('when an earlier attempt is found committed while this one has a job and a bitmap of its own', async () => {
    node.plan({ attempt: 2, path: PATH, bitmap: 'backup-2', obsoleteBitmaps: ['backup-1'] });
    node.libvirt.bitmaps.get('vda')?.set('backup-1', 'good');
    node.before = (what) => {
      if (what === 'backup') lateCommit();
    };
    await node.carryOut();
    expect(node.execution?.error).toBeUndefined();
    expect(node.execution?.bitmapCreated).toBeUndefined();
    expect(node.execution?.disks).toMatchObject([{ volume: 'vda', tracked: false, storedBytes: 100 }]);
    expect([...node.libvirt.bitmaps.get('vda')!.keys()]).toEqual([]);
  });

  test('when this very attempt had begun twice, and the first run gets through after the second began', async () => {
    node.plan({ path: PATH });
    node.before = (what) => {
      if (what === 'backup') lateCommit();
    };
    await node.carryOut();
    expect(node.execution?.bitmapCreated).toBeUndefined();
    expect(node.libvirt.traces('backup-1')).toEqual([]);
  });

  test('when an attempt is planned although the one before was committed: its disks are told, and nothing is begun', async () => {
    lateCommit();
    node.plan({ attempt: 2, path: PATH, bitmap: 'backup-2', obsoleteBitmaps: ['backup-1'] });
    node.libvirt.bitmaps.get('vda')?.set('backup-1', 'good');
    await node.carryOut();
    expect(node.execution).toMatchObject({ attempt: 2, disks: [{ volume: 'vda', tracked: false }] });
    expect(node.execution?.bitmapCreated).toBeUndefined();
    expect(node.libvirt.calls.map(([command]) => command)).not.toContain('backup-begin');
    expect([...node.libvirt.bitmaps.get('vda')!.keys()]).toEqual([]);
  });

  test('but an agent that was killed right after the commit keeps its bitmap: data and bitmap are of one instant', async () => {
    node.plan({ path: PATH });
    node.before = at('report', 3, () => weather());
    await expect(node.carryOut()).rejects.toThrow('does not answer');
    node.before = () => undefined;
    await node.carryOut();
    expect(node.execution).toMatchObject({ bitmapCreated: 'backup-1', disks: [{ tracked: true }] });
    expect(node.libvirt.traces('backup-1')).toEqual(['libvirt', 'vda']);
  });

  test('and what is committed but cannot be restored is no success', async () => {
    node.plan({ path: PATH });
    lateCommit();
    node.committed.set(PATH, { ...node.committed.get(PATH)!, usable: false });
    await node.carryOut();
    expect(node.execution?.error?.reason).toBe('CommittedDataDamaged');
    expect(node.libvirt.traces('backup-1')).toEqual([]);
  });
});

describe('never the changes of one disk upon the data of another', () => {
  test.each<[string, string, () => void]>([
    ['the VM was made anew', 'VMReplaced', () => (node.vmUid = 'another')],
    ['the claim was made anew', 'DiskReplaced', () => (node.claimUid = 'another')],
    ['the volume stands on another claim', 'DiskReplaced', () => (node.claimName = 'another')],
  ])('when %s since the plan, nothing is begun (%s)', async (_, reason, change) => {
    node.planIncremental();
    change();
    await node.carryOut();
    expect(node.execution?.error?.reason).toBe(reason);
    expect(node.libvirt.calls.map(([command]) => command)).not.toContain('backup-begin');
    expect(node.libvirt.traces('backup-1')).toContain('vda');
  });
});

describe('no job that nobody watches over', () => {
  test.each([
    ['the decision', 1],
    ['the begin', 2],
  ])('when the API server takes no report of %s', async (_, nth) => {
    node.before = at('report', nth, weather);
    await expect(node.carryOut()).rejects.toThrow('does not answer');
    expect(node.libvirt.job).toBeUndefined();
    expect(node.libvirt.traces('backup-1')).toEqual([]);
    await node.carryOut();
    expect(node.execution).toMatchObject({ bitmapCreated: 'backup-1', completedAt: expect.any(String) });
  });

  test('when the VMBackup is deleted in that moment', async () => {
    node.before = at('backup', 1, () => {
      node.object = undefined;
      return new Error('stopped');
    });
    await expect(node.carryOut()).resolves.toEqual({ kind: 'Ended' });
    expect(node.libvirt.job).toBeUndefined();
    expect(node.libvirt.traces('backup-1')).toEqual([]);
  });

  test('when a killed agent left one, and the repository does not answer: the checkpoint stays, for it may be committed', async () => {
    await killedInMidCopy();
    node.libvirt.state = PAUSED;
    node.before = at('inspect', 1, () => new Error('the server is gone'));
    await expect(node.carryOut()).rejects.toThrow('the server is gone');
    expect(node.libvirt.job).toBeUndefined();
    expect(node.libvirt.state).toBe('running (unpaused)');
    expect(node.libvirt.traces('backup-1')).toEqual(['libvirt', 'vda']);
  });

  test('when QEMU waits for the mover and answers nobody: the mover goes first, and then the job', async () => {
    let copying = false;
    node.mover = {
      ...node.mover,
      backup: async (_job, _tell, signal) => {
        copying = true;
        node.libvirt.state = PAUSED;
        await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
        copying = false;
        throw signal.reason;
      },
    };
    node.libvirt.before = ([command]) => {
      if (copying) throw new LibvirtError(`${command} gave no answer`, { reason: 'ClientTimeout' });
    };
    await node.carryOut();
    expect(node.execution?.error).toMatchObject({ reason: 'GuestSilent', final: false });
    expect(node.libvirt.job).toBeUndefined();
    expect(node.libvirt.state).toBe('running (unpaused)');
    expect(node.libvirt.traces('backup-1')).toEqual([]);
  });

  test('when a killed agent left one and the guest stands still: it runs on, and the attempt has failed', async () => {
    await killedInMidCopy();
    node.libvirt.state = PAUSED;
    await node.carryOut();
    expect(node.execution?.error?.reason).toBe('GuestPaused');
    expect(node.libvirt.job).toBeUndefined();
    expect(node.libvirt.state).toBe('running (unpaused)');
  });

  test('else the job of a killed agent is gone on with', async () => {
    await killedInMidCopy();
    await node.carryOut();
    expect(node.execution).toMatchObject({ bitmapCreated: 'backup-1', completedAt: expect.any(String) });
    expect(node.libvirt.calls.filter(([command]) => command === 'backup-begin')).toHaveLength(1);
  });
});

describe('a backup whose source went away', () => {
  const gone = () => new MoverFailed('NbdGone', 'the server is gone');

  test('with the VM gave way to it, and has not failed', async () => {
    node.before = (what) => {
      if (what !== 'backup') return;
      node.libvirt.state = 'shut off (crashed)';
      throw gone();
    };
    await node.carryOut();
    expect(node.execution?.error?.reason).toBe('VMNotRunning');
  });

  test('with a VM that runs again in another pod gave way to it as well', async () => {
    node.before = (what) => {
      if (what !== 'backup') return;
      node.pod = 'pod-2';
      throw gone();
    };
    await node.carryOut();
    expect(node.execution?.error?.reason).toBe('VMNotRunning');
  });

  test('under a VM that runs has failed', async () => {
    node.before = at('backup', 1, gone);
    await node.carryOut();
    expect(node.execution?.error?.reason).toBe('NbdGone');
  });

  test.each(['DomainNotRunning', 'ConnectFailed'] as const)(
    'before it began (%s) is told apart in the same way',
    async (reason) => {
      const { virsh } = node;
      const dying = (pod: string) => {
        node.virsh = async (args, call, signal) => {
          if (args[0] !== 'backup-begin') return virsh(args, call, signal);
          node.pod = pod;
          throw new LibvirtError('it is gone', { reason });
        };
      };
      dying('pod-1');
      await node.carryOut();
      expect(node.execution?.error?.reason).toBe(reason);
      node.plan({ attempt: 2, bitmap: 'backup-2' });
      dying('pod-2');
      await node.carryOut();
      expect(node.execution?.error?.reason).toBe('VMNotRunning');
    },
  );
});

describe('no job beside another one', () => {
  test.each<[string, string, () => void]>([
    [
      "KubeVirt's own backup holds the VM",
      'KubeVirtBackupRunning',
      () => (node.vmiStatus = { changedBlockTracking: { backupStatus: { backupName: 'theirs' } } }),
    ],
    ['libvirt has another job on it', 'DomainBusy', () => (node.libvirt.job = 'a migration')],
    ['its launcher pod is being deleted', 'LauncherTerminating', () => (node.terminating = true)],
  ])('while %s: it waits, and touches nothing (%s)', async (_, reason, happens) => {
    node.planIncremental();
    happens();
    const { job } = node.libvirt;
    expect(await node.carryOut()).toMatchObject({ kind: 'NotYet', notYet: { reason } });
    expect(node.libvirt.job).toBe(job);
    expect(node.libvirt.calls.map(([command]) => command)).not.toContain('backup-begin');
    expect(node.libvirt.traces('backup-1')).toContain('vda');
    expect(node.execution?.error).toBeUndefined();
  });
});

describe('a checkpoint that libvirt is in the middle of making, for a killed agent', () => {
  const half = '<domaincheckpoint><name>backup-1</name><disks><disk name="vda"/></disks></domaincheckpoint>';

  test.each([
    ['is waited for', 2],
    ['is not waited for for ever', Infinity],
  ])('%s', async (_, looks) => {
    const { virsh } = node;
    let seen = 0;
    node.virsh = (args, ...rest) =>
      args[0] === 'checkpoint-dumpxml' && seen++ < looks ? Promise.resolve(half) : virsh(args, ...rest);
    await node.carryOut();
    expect(node.execution?.error).toBeUndefined();
    expect(node.libvirt.traces('backup-1')).toEqual(['libvirt', 'vda']);
  });
});

describe('what is told', () => {
  test('of a bitmap that may be left, when the VM is gone before it could be removed', async () => {
    await killedInMidCopy();
    const gone = new Error('no such pod');
    node.find = () => Promise.reject(gone);
    await node.carryOut();
    expect(node.execution).toMatchObject({ bitmapCreated: 'backup-1', error: { message: 'no such pod' } });
  });

  test('of no bitmap, when it was removed', async () => {
    node.before = at('backup', 1, () => new Error('the disk is full'));
    await node.carryOut();
    expect(node.execution?.error?.message).toBe('the disk is full');
    expect(node.execution?.bitmapCreated).toBeUndefined();
  });

  test('nothing over what a later attempt has told', async () => {
    const told = { attempt: 2, agent: 'n2', startedAt: '2026-11-23T12:00:00Z' };
    node.before = at('backup', 1, () => {
      node.plan({ attempt: 2, nodeName: 'n2' });
      node.object = { ...node.object!, status: { ...node.object!.status, execution: told } };
      return new Error('cut off');
    });
    await node.carryOut();
    expect(node.execution).toEqual(told);
    expect(node.libvirt.job).toBeUndefined();
  });

  test('nothing of an instant that an earlier run of the attempt had begun', async () => {
    node.before = at('report', 2, weather);
    await expect(node.carryOut()).rejects.toThrow('does not answer');
    const fallback = { reason: 'ParentDataMissing', message: 'for a moment', disks: ['vda'] };
    const execution = { ...node.execution!, incrementalFallback: fallback, pointInTime: 'long ago' };
    node.object = { ...node.object!, status: { ...node.object!.status, execution } };
    node.before = () => undefined;
    await node.carryOut();
    expect(node.execution?.incrementalFallback).toBeUndefined();
    expect(node.execution?.pointInTime).not.toBe('long ago');
  });
});

/** The job runs, all of it was reported, and then the agent is no more. */
async function killedInMidCopy(): Promise<void> {
  let job: string | undefined;
  let object: typeof node.object;
  node.before = at('backup', 1, () => {
    job = node.libvirt.job;
    object = node.object;
    return new Error('killed');
  });
  await node.carryOut();
  node.libvirt.job = job;
  node.object = object;
  node.libvirt.checkpoints.set('backup-1', ['vda']);
  node.libvirt.bitmaps.get('vda')?.set('backup-1', 'good');
  node.before = () => undefined;
}
