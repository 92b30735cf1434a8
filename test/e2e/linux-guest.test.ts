import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { VMBackup } from '../../src/crds/vmbackup.ts';
import { MiB, run, type StandInVm, standInVm } from '../support/launcher/index.ts';
import {
  askAgent,
  examine,
  lastFsynced,
  linuxGuest,
  missingFiles,
} from '../support/linux-guest/linux-guest.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow } from '../support/tidemark/points.ts';
import { serveSubresources, type Subresources } from '../support/tidemark/subresources.ts';

/** Milliseconds that a backup may keep the guest from writing. */
const MOST_FROZEN_MS = 500;

/** Debian's kernel with an ext4 that is written to all the time. The tests go on from one another. */
describe('a Linux guest with the guest agent', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let kubevirt: Subresources;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark());
    const { boot, disk, diskBytes } = await linuxGuest(tidemark.directory);
    vm = resources.use(
      await standInVm({
        ...{ namespace: NAMESPACE, name: 'db', podsDir: tidemark.podsDir, boot, memory: 192 * MiB },
        disks: [{ volume: 'root', kind: 'cbt', size: diskBytes, from: disk }],
      }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    kubevirt = resources.use(await serveSubresources(tidemark.cluster, [vm]));
    await eventually('the guest agent', async () => {
      await askAgent(vm, 'guest-ping');
      return true;
    });
    await tidemark.kubevirt.tell(vm, { conditions: [{ type: 'AgentConnected', status: 'True' }] });
    await eventually('files', async () => ((await lastFsynced(vm)) > 5 ? true : undefined));
  });
  afterAll(() => resources.disposeAsync());

  /** Restores the disk of a backup into a raw image, gives that to the test, and removes it. */
  async function restored<T>(
    name: string,
    look: (image: string, directory: string) => Promise<T>,
  ): Promise<T> {
    const image = join(tidemark.directory, `${name}.raw`);
    const files = join(tidemark.directory, `${name}-files`);
    const from = join(tidemark.repository, (await tidemark.backup(name)).status?.plan?.path ?? '');
    try {
      await run([...tidemark.mover, 'restore', '--from', from, '--volume', 'root', '--to', image]);
      return await look(image, files);
    } finally {
      for (const path of [image, files]) await rm(path, { recursive: true, force: true });
    }
  }

  async function backUp(name: string, spec: object): Promise<{ backup: VMBackup; before: number }> {
    const before = await lastFsynced(vm);
    await backUpNow(tidemark, vm, name, spec);
    return { backup: await tidemark.ended(name), before };
  }

  async function writesOn(): Promise<void> {
    const seen = await lastFsynced(vm);
    await eventually('another file', async () => ((await lastFsynced(vm)) > seen ? true : undefined), 20);
  }

  test.each([
    ['full', 'Full'],
    ['incremental', 'Incremental'],
  ])(
    'is frozen for the instant of a %s backup, and the restored file system needs no repair',
    async (name, type) => {
      const { backup, before } = await backUp(name, { quiesce: 'Required' });
      expect(backup.status).toMatchObject({
        phase: 'Succeeded',
        type,
        execution: { quiesce: { result: 'Frozen' } },
      });
      const { frozenMilliseconds = Infinity, message } = backup.status?.execution?.quiesce ?? {};
      console.log(`${name}: frozen for ${frozenMilliseconds} ms, ${before} files before`);
      expect(frozenMilliseconds).toBeLessThanOrEqual(MOST_FROZEN_MS);
      expect(message).toBeUndefined();
      expect(kubevirt.calls.slice(-2)).toEqual(['freeze 200', 'unfreeze 200']);
      expect(await askAgent(vm, 'guest-fsfreeze-status')).toBe('thawed');
      await writesOn();
      await restored(name, async (image, files) => {
        expect(await examine(image)).toMatchObject({ clean: true, needsRecovery: false });
        expect(await missingFiles(image, files, before)).toEqual([]);
      });
    },
  );

  test('that was not frozen is restored as after a power cut: its journal is replayed, and every fsynced file is there', async () => {
    const { backup, before } = await backUp('never', { quiesce: 'Never' });
    expect(backup.status?.execution?.quiesce).toEqual({ result: 'NotAsked' });
    await restored('never', async (image, files) => {
      expect(await examine(image)).toMatchObject({ needsRecovery: true });
      await run(['sh', '-c', 'e2fsck -y -E journal_only "$0" || [ $? = 1 ]', image]);
      expect(await examine(image)).toMatchObject({ clean: true, needsRecovery: false });
      expect(await missingFiles(image, files, before)).toEqual([]);
    });
  });

  test('is thawed by KubeVirt when the node agent dies while it is frozen', async () => {
    kubevirt.pass = async (place) => {
      if (place === 'freeze.after') await tidemark.agent.kill('SIGKILL');
    };
    const calls = kubevirt.calls.length;
    await backUpNow(tidemark, vm, 'killed', { quiesce: 'Required' });
    await eventually(
      'the thaw',
      async () => (kubevirt.calls.includes('thawed by timeout') ? true : undefined),
      30,
    );
    expect(kubevirt.calls.slice(calls)).toEqual(['freeze 200', 'thawed by timeout']);
    kubevirt.pass = async () => {};
    await writesOn();
    await tidemark.startAgent();
    const { status } = await tidemark.ended('killed');
    expect(status).toMatchObject({ phase: 'Succeeded', execution: { quiesce: { result: 'Frozen' } } });
  });

  test('whose guest agent is gone is backed up all the same, or not at all, as was asked for', async () => {
    const arg = ['killall', 'qemu-ga'];
    await askAgent(vm, 'guest-exec', { path: '/bin/busybox', arg });
    await eventually('the end of the guest agent', async () => {
      const answers = await askAgent(vm, 'guest-ping').then(
        () => true,
        () => false,
      );
      return answers ? undefined : true;
    });
    const refused = await backUp('required', { quiesce: 'Required', backoffLimit: 0 });
    expect(refused.backup.status).toMatchObject({
      phase: 'Failed',
      attempts: [{ attempt: 1, node: NODE, reason: 'GuestAgentAbsent' }],
    });
    const taken = await backUp('if-available', { quiesce: 'IfAvailable' });
    expect(taken.backup.status).toMatchObject({
      phase: 'Succeeded',
      execution: { quiesce: { result: 'NoAgent' } },
    });
    await writesOn();
  });
});
