import { chown, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VMBackup } from '../../src/crds/vmbackup.ts';
import { MiB, run, scratchDirectory, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { AGENT } from '../support/tidemark/as-agent.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

function readyOf(backup: VMBackup) {
  return backup.status?.conditions?.find(({ type }) => type === 'Ready');
}

describe('bad input and bad luck, told in words', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let repository: string;

  beforeAll(async () => {
    const scratch = resources.use(await scratchDirectory('tidemark-small-'));
    repository = join(scratch.path, 'nas');
    await mkdir(repository);
    await run(['mount', '-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', repository]);
    resources.defer(async () => {
      await run(['umount', repository]);
    });
    tidemark = resources.use(await installTidemark({ repository }));
    vm = resources.use(
      await standInVm({
        namespace: NAMESPACE,
        name: 'db',
        podsDir: tidemark.podsDir,
        disks: [{ volume: 'root', kind: 'cbt', size: 64 * MiB }],
      }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    await vm.write('root', { pattern: 0x41, offset: 0, length: 8 * MiB });
  });
  afterAll(() => resources.disposeAsync());

  async function waitsWith(name: string, reason: string): Promise<string> {
    const found = await eventually(`${name} to wait for ${reason}`, async () => {
      const ready = readyOf(await tidemark.backup(name));
      return ready?.reason === reason ? ready : undefined;
    });
    return found.message;
  }

  test('a VM that does not exist', async () => {
    await backUpNow(tidemark, { name: 'ghost' }, 'of-a-ghost');
    expect(await waitsWith('of-a-ghost', 'VMNotFound')).toContain('ghost');
  });

  test('a repository that does not exist', async () => {
    await backUpNow(tidemark, vm, 'to-nowhere', { repository: 'nowhere' });
    expect(await waitsWith('to-nowhere', 'RepositoryNotFound')).toContain('nowhere');
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmb', 'to-nowhere']);
  });

  test('a repository that is not ready is waited for, and the backup goes on when it is', async () => {
    const missing = join(tidemark.directory, 'not-there-yet');
    await tidemark.apply({
      apiVersion: 'backup.tidemark.dev/v1alpha1',
      kind: 'VMBackupRepository',
      metadata: { name: 'late' },
      spec: { local: { path: missing }, allowedNamespaces: ['*'] },
    });
    await backUpNow(tidemark, vm, 'to-late', { repository: 'late' });
    expect(await waitsWith('to-late', 'RepositoryNotReady')).toContain('late');
    await mkdir(missing);
    await chown(missing, AGENT.uid, AGENT.gid);
    expect((await tidemark.ended('to-late')).status?.phase).toBe('Succeeded');
  });

  test("KubeVirt's own backup of the VM is waited for: nothing begins beside it", async () => {
    const tracking = { state: 'Enabled', backupStatus: { backupName: 'theirs' } };
    await tidemark.kubevirt.tell(vm, { changedBlockTracking: tracking });
    await backUpNow(tidemark, vm, 'beside-theirs', { repository: 'late' });
    expect(await waitsWith('beside-theirs', 'KubeVirtBackupRunning')).toContain('theirs');
    expect(await hasBackupJob(vm)).toBe(false);
    await tidemark.kubevirt.tell(vm, { changedBlockTracking: { backupStatus: null } });
    expect((await tidemark.ended('beside-theirs')).status?.phase).toBe('Succeeded');
  });

  test('a repository without room: a clear error, and the parent and its checkpoint untouched', async () => {
    const parent = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'fits'));
    expect(parent.backup.status?.phase).toBe('Succeeded');
    const before = await checkpointsOf(vm);
    await vm.write('root', { pattern: 0x42, offset: 16 * MiB, length: 32 * MiB });
    await backUpNow(tidemark, vm, 'too-much', { backoffLimit: 0 });
    const failed = await tidemark.ended('too-much');
    expect(failed.status?.phase).toBe('Failed');
    expect(failed.status?.execution?.error).toMatchObject({ reason: 'RepositoryTooFull' });
    expect(readyOf(failed)?.message).toContain(failed.status?.execution?.error?.message.slice(0, 20));
    expect(await hasBackupJob(vm)).toBe(false);
    expect(await checkpointsOf(vm)).toEqual(before);
    expect(await incomingIn(repository)).toEqual([]);
    expect(await restoresExactly(tidemark, parent)).toEqual(new Map([['root', true]]));
  });

  test('and when there is room again, the next incremental covers all since the last backup that exists', async () => {
    await run(['mount', '-o', 'remount,size=128m', repository]);
    const next = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'fits-again'));
    expect(next.backup.status).toMatchObject({
      phase: 'Succeeded',
      type: 'Incremental',
      plan: { parent: { name: 'fits' } },
    });
    expect(await restoresExactly(tidemark, next)).toEqual(new Map([['root', true]]));
  });

  test('quiesce: Required without a guest agent fails, saying what to install', async () => {
    await backUpNow(tidemark, vm, 'frozen-or-not-at-all', { quiesce: 'Required', backoffLimit: 0 });
    const failed = await tidemark.ended('frozen-or-not-at-all');
    expect(failed.status?.execution?.error).toMatchObject({
      reason: 'GuestAgentAbsent',
      message: expect.stringContaining('qemu-guest-agent'),
    });
    expect(await hasBackupJob(vm)).toBe(false);
  });

  test('none of it made anyone spin', async () => {
    const log = (await tidemark.controller.log()) + (await tidemark.agent.log());
    expect(log.split('\n').length).toBeLessThan(400);
  });
});
