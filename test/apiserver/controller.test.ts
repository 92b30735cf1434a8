import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { persistentVolumeClaims } from '../../src/crds/core.ts';
import { vmBackups } from '../../src/crds/vmbackup.ts';
import { vmBackupRepositories } from '../../src/crds/vmbackuprepository.ts';
import { NAMESPACE, NODE, READY, REPOSITORY, Rig } from './controller-rig.ts';

const Managed = z.object({
  metadata: z.object({ managedFields: z.array(z.object({ manager: z.string(), fieldsV1: z.unknown() })) }),
});

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
  await rig.agentFinds(READY);
  await rig.repositoryIs('Ready');
});
afterAll(async () => await rig?.[Symbol.asyncDispose]());

describe('a repository', () => {
  test('is ready when an agent could write to it, and says how much is free', async () => {
    const { status } = await rig.get(vmBackupRepositories, REPOSITORY);
    expect(status).toMatchObject({ nodes: 1, readyNodes: 1, freeBytes: 600, capacityBytes: 1000 });
    // Its upkeep has a condition of its own, which comes when it comes.
    const said = status?.conditions?.filter(({ type }) => type === 'Ready' || type === 'LowSpace');
    expect(said).toMatchObject([
      { type: 'Ready', status: 'True', message: '1 of 1 node can write to it.' },
      { type: 'LowSpace', status: 'False', reason: 'EnoughSpace' },
    ]);
  });
});

describe('the chain of a VM', () => {
  test('begins with a full, goes on with incrementals, and begins anew at fullEvery', async () => {
    await rig.vm('db', ['root', 'data']);
    const first = await rig.backup('db-1', 'db', { fullEvery: 2 });
    const planned = await rig.planned('db-1');
    const { uid } = first.metadata;
    expect(planned.status).toMatchObject({
      phase: 'Assigned',
      type: 'Full',
      typeReason: 'NoEarlierBackup',
      chain: { id: uid, position: 0 },
      conditions: [
        { type: 'Reconciling', status: 'True', reason: 'Assigned' },
        { type: 'Ready', status: 'Unknown' },
      ],
      plan: {
        attempt: 1,
        nodeName: NODE,
        type: 'Full',
        disks: [
          { volume: 'root', type: 'Full', claim: { name: 'db-root' } },
          { volume: 'data', type: 'Full' },
        ],
      },
    });
    const kubeSystem = await rig.cluster.kubectl([
      'get',
      'ns',
      'kube-system',
      '-o',
      'jsonpath={.metadata.uid}',
    ]);
    expect(planned.status?.plan?.path).toMatch(
      new RegExp(`^${kubeSystem}/${NAMESPACE}/db-[0-9a-f]{8}/[0-9]{8}T[0-9]{6}Z-${uid.slice(0, 8)}$`),
    );

    await rig.agentReports('db-1', { completedAt: undefined });
    await rig.backupThat('db-1', 'Running', ({ status }) => status?.phase === 'Running');
    const done = await rig.succeed('db-1');
    expect(done.status).toMatchObject({ type: 'Full', size: '2.4Mi', seconds: 3 });
    expect(done.status?.conditions).toMatchObject([{ type: 'Ready', status: 'True', reason: 'Succeeded' }]);

    await rig.backup('db-2', 'db', { fullEvery: 2 });
    const second = await rig.planned('db-2');
    const parentPath = done.status?.plan?.path;
    expect(second.status?.plan).toMatchObject({
      type: 'Incremental',
      reason: 'ChangedSinceParent',
      chain: { id: uid, position: 1 },
      parent: { name: 'db-1', bitmap: done.status?.plan?.bitmap },
      disks: [
        { volume: 'root', type: 'Incremental', parentPath },
        { volume: 'data', type: 'Incremental', parentPath },
      ],
    });
    await rig.succeed('db-2');

    const third = await rig.backup('db-3', 'db', { fullEvery: 2 });
    expect((await rig.succeed('db-3')).status).toMatchObject({
      type: 'Full',
      typeReason: 'ChainComplete',
      chain: { id: third.metadata.uid, position: 0 },
    });
    // The backup may be known a moment before its VM is.
    const told = (await rig.eventsOf('db-1'))
      .map(({ reason }) => reason)
      .filter((reason) => reason !== 'VMNotFound');
    expect(new Set(told)).toEqual(new Set(['Planned', 'Succeeded']));
    expect(told).toHaveLength(2);
  });

  test('begins anew when the agent had to take a full of every disk, with a warning', async () => {
    await rig.vm('web');
    await rig.backup('web-1', 'web');
    await rig.succeed('web-1');
    const { metadata } = await rig.backup('web-2', 'web');
    const fallback = { reason: 'BitmapInconsistent', message: 'QEMU was killed.', disks: ['root'] };
    const disks = [{ volume: 'root', type: 'Full' as const, reason: 'BitmapInconsistent', tracked: true }];
    const done = await rig.succeed('web-2', { incrementalFallback: fallback, disks });
    expect(done.status).toMatchObject({
      plan: { type: 'Incremental' },
      type: 'Full',
      typeReason: 'BitmapInconsistent',
      chain: { id: metadata.uid, position: 0 },
    });
    expect(await rig.event('web-2', 'IncrementalFallback')).toMatchObject({
      type: 'Warning',
      note: expect.stringContaining('BitmapInconsistent: QEMU was killed.'),
    });
  });

  test('takes a full of the one disk whose claim was replaced', async () => {
    await rig.vm('swap', ['root', 'data']);
    await rig.backup('swap-1', 'swap');
    await rig.succeed('swap-1');
    const unprotect = '{"metadata":{"finalizers":null}}';
    await rig.cluster.kubectl([
      '-n',
      NAMESPACE,
      'patch',
      'pvc',
      'swap-data',
      '--type=merge',
      '-p',
      unprotect,
    ]);
    await rig.cluster.kubectl(['-n', NAMESPACE, 'delete', 'pvc', 'swap-data', '--wait=true']);
    await rig.claim('swap-data');
    const { metadata } = await rig.get(persistentVolumeClaims, 'swap-data', NAMESPACE);
    await rig.backup('swap-2', 'swap');
    expect((await rig.planned('swap-2')).status?.plan).toMatchObject({
      type: 'Incremental',
      disks: [
        { volume: 'root', type: 'Incremental' },
        { volume: 'data', type: 'Full', reason: 'DiskReplaced', claim: { uid: metadata.uid } },
      ],
    });
  });

  test('is not moved by a backup that failed, and the next attempt has a bitmap of its own', async () => {
    await rig.vm('shaky');
    await rig.backup('shaky-1', 'shaky');
    const good = await rig.succeed('shaky-1');
    await rig.backup('shaky-2', 'shaky', { backoffLimit: 0 });
    const failing = await rig.planned('shaky-2');
    await rig.agentReports('shaky-2', {
      error: { reason: 'CopyFailed', message: 'The disk is full.', final: false },
    });
    const failed = await rig.because('shaky-2', 'BackoffLimitExceeded');
    expect(failed.status).toMatchObject({
      phase: 'Failed',
      conditions: [
        {
          type: 'Stalled',
          status: 'True',
          message: expect.stringContaining('CopyFailed: The disk is full.'),
        },
        { type: 'Ready', status: 'False', reason: 'BackoffLimitExceeded' },
      ],
    });
    expect(failed.status).not.toHaveProperty('chain');

    await rig.backup('shaky-3', 'shaky');
    const { plan } = (await rig.planned('shaky-3')).status ?? {};
    expect(plan).toMatchObject({
      type: 'Incremental',
      parent: { name: 'shaky-1', bitmap: good.status?.plan?.bitmap },
    });
    expect(plan?.bitmap).not.toBe(failing.status?.plan?.bitmap);
  });
});

describe('attempts', () => {
  test('a failed attempt is tried again after a while, and an old report does not count for the new one', async () => {
    await rig.vm('retry');
    await rig.backup('retry-1', 'retry');
    await rig.planned('retry-1');
    const error = { reason: 'CopyFailed', message: 'NFS went away.', final: false };
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    await rig.agentReports('retry-1', { error, completedAt: tomorrow });
    expect((await rig.because('retry-1', 'AttemptFailed')).status).toMatchObject({ phase: 'Pending' });
    await rig.heardLongAgo('retry-1');
    const again = await rig.planned('retry-1', 2);
    expect(again.status).toMatchObject({
      phase: 'Assigned',
      plan: { failedAttempts: 1 },
      execution: { attempt: 1 },
    });
  });

  test('an error that is final is not tried again', async () => {
    await rig.vm('final');
    await rig.backup('final-1', 'final');
    await rig.planned('final-1');
    const error = { reason: 'QuiesceFailed', message: 'No guest agent answers.', final: true };
    await rig.agentReports('final-1', { error });
    expect((await rig.because('final-1', 'QuiesceFailed')).status?.phase).toBe('Failed');
  });

  test('a plan that nobody has begun follows the VM to its new node', async () => {
    const volumes = [{ name: 'root', persistentVolumeClaim: { claimName: 'mover-root' } }];
    await rig.agentFinds(READY, 'node-2');
    await rig.vm('mover');
    await rig.backup('mover-1', 'mover');
    const first = await rig.planned('mover-1');
    await rig.stopVm('mover');
    expect((await rig.because('mover-1', 'VMNotRunning')).status?.plan?.attempt).toBe(1);
    await rig.startVm('mover', volumes, 'node-2');
    const moved = await rig.planned('mover-1', 2);
    expect(moved.status).toMatchObject({
      phase: 'Assigned',
      plan: { nodeName: 'node-2', failedAttempts: 0 },
    });
    expect(moved.status?.plan?.bitmap).not.toBe(first.status?.plan?.bitmap);
    expect(moved.status?.plan?.path).toBe(first.status?.plan?.path);
  });

  test('a plan stands when the VM comes back on its node', async () => {
    await rig.vm('boomerang');
    await rig.backup('boomerang-1', 'boomerang');
    const { status } = await rig.planned('boomerang-1');
    await rig.stopVm('boomerang');
    await rig.because('boomerang-1', 'VMNotRunning');
    await rig.startVm('boomerang', [
      { name: 'root', persistentVolumeClaim: { claimName: 'boomerang-root' } },
    ]);
    const back = await rig.because('boomerang-1', 'Assigned');
    expect(back.status).toMatchObject({ phase: 'Assigned', plan: status?.plan });
  });

  test('one VM is backed up once at a time, the oldest backup first', async () => {
    await rig.vm('busy');
    await rig.backup('busy-1', 'busy');
    await rig.planned('busy-1');
    await rig.backup('busy-2', 'busy');
    const waiting = await rig.because('busy-2', 'AnotherBackupRunning');
    expect(waiting.status).not.toHaveProperty('plan');
    await rig.succeed('busy-1');
    expect((await rig.planned('busy-2')).status?.plan).toMatchObject({ parent: { name: 'busy-1' } });
  });

  test('a controller that is killed at any time goes on where it was', async () => {
    await rig.vm('phoenix');
    await rig.controller.kill('SIGKILL');
    await rig.backup('phoenix-1', 'phoenix');
    await rig.restartController();
    const before = await rig.planned('phoenix-1');
    await rig.controller.kill('SIGKILL');
    await rig.agentReports('phoenix-1');
    await rig.restartController();
    const done = await rig.backupThat(
      'phoenix-1',
      'Succeeded',
      ({ status }) => status?.phase === 'Succeeded',
    );
    expect(done.status?.plan).toEqual(before.status?.plan);
  });
});

describe('who writes what', () => {
  test('the controller owns no part of the execution', async () => {
    await rig.vm('fields');
    await rig.backup('fields-1', 'fields');
    await rig.succeed('fields-1');
    const args = ['-n', NAMESPACE, 'get', 'tmb', 'fields-1', '--show-managed-fields', '-o', 'json'];
    const { metadata } = Managed.parse(JSON.parse(await rig.cluster.kubectl(args)));
    const owned = (manager: string): string =>
      JSON.stringify(metadata.managedFields.filter((it) => it.manager === manager).map((it) => it.fieldsV1));
    expect(owned('tidemark-controller')).toContain('f:plan');
    expect(owned('tidemark-controller')).not.toContain('f:execution');
    expect(owned('tidemark-node-agent')).not.toContain('f:plan');
  });

  test('a backup that is over costs no request, however often it is looked at', async () => {
    await rig.vm('quiet');
    await rig.backup('quiet-1', 'quiet');
    const { status } = await rig.succeed('quiet-1');
    const look = (count: number) =>
      rig.cluster.kubectl(['-n', NAMESPACE, 'annotate', '--overwrite', 'tmb', 'quiet-1', `look=${count}`]);
    const looks = async () =>
      (await rig.controller.log()).split('"key":"shop/quiet-1","msg":"done"').length - 1;
    const before = await looks();
    const requests = await rig.requests();
    for (const count of [1, 2, 3]) await look(count);
    await rig.until('three more looks', async () => ((await looks()) >= before + 3 ? true : undefined));
    // kubectl reads and patches; the controller does nothing.
    expect(await rig.requests()).toBe(requests + 6);
    expect((await rig.get(vmBackups, 'quiet-1', NAMESPACE)).status).toEqual(status);
  });
});

describe('kubectl describe tells the story', () => {
  /** What it prints, each run of spaces as one. */
  const described = async (name: string) =>
    (await rig.cluster.kubectl(['-n', NAMESPACE, 'describe', 'tmb', name])).replaceAll(/ +/g, ' ');

  test('of three failed attempts', async () => {
    await rig.vm('unlucky');
    await rig.backup('unlucky-1', 'unlucky', { backoffLimit: 2 });
    const message = 'The mover made no progress for 300 s, and was stopped.';
    for (const attempt of [1, 2, 3]) {
      await rig.planned('unlucky-1', attempt);
      await rig.agentReports('unlucky-1', { error: { reason: 'MoverStalled', message, final: false } });
      if (attempt === 3) continue;
      await rig.because('unlucky-1', 'AttemptFailed');
      await rig.heardLongAgo('unlucky-1', attempt);
    }
    await rig.because('unlucky-1', 'BackoffLimitExceeded');
    const end = `All 3 attempts failed (backoffLimit 2), and no other follows: take a new backup when the cause is mended. The last one failed with MoverStalled: ${message}`;
    const [status = '', events = ''] = (await told('unlucky-1', end)).split('Events:');
    for (const attempt of [1, 2, 3]) expect(status).toContain(` Attempt: ${attempt}\n`);
    expect(status.match(/ Reason: MoverStalled/g)).toHaveLength(4); // each attempt, and what the agent said last
    expect(status).toContain(`Message: ${end}`);
    expect(status).toContain('Phase: Failed');
    for (const attempt of [1, 2])
      expect(events).toContain(
        `Attempt ${attempt} failed with MoverStalled: ${message} The next one follows at `,
      );
    expect(events).toMatch(/Warning BackoffLimitExceeded/);
  });

  test('of a fallback to a full', async () => {
    await rig.vm('fallen');
    await rig.backup('fallen-1', 'fallen');
    await rig.succeed('fallen-1');
    await rig.backup('fallen-2', 'fallen');
    await rig.planned('fallen-2');
    const message = "Disk 'root' has no bitmap of fallen-1: QEMU was killed, say.";
    const full = { volume: 'root', type: 'Full', reason: 'BitmapMissing', tracked: true } as const;
    await rig.succeed('fallen-2', {
      incrementalFallback: { reason: 'BitmapMissing', message, disks: ['root'] },
      disks: [full],
    });
    const end = `Full (BitmapMissing), position 0 of its chain. ${message}`;
    const text = await told('fallen-2', `Normal Succeeded`);
    expect(text).toContain(`Message: ${end}`);
    expect(text).toContain(`Incremental Fallback:\n Disks:\n root\n Message: ${message}`);
    expect(text).toMatch(new RegExp(`Warning IncrementalFallback .* BitmapMissing: ${message}`));
    expect(text).toContain('What changed since fallen-1.');
  });

  test('of a backup that waits', async () => {
    await rig.vm('asleep');
    await rig.stopVm('asleep');
    await rig.backup('asleep-1', 'asleep');
    await rig.because('asleep-1', 'VMNotRunning');
    const text = await told('asleep-1', 'Normal VMNotRunning');
    expect(text.match(/Message: VirtualMachine 'asleep' does not run/g)).toHaveLength(2);
    expect(text).toContain('Phase: Pending');
  });

  /** As soon as it tells of the last event: that is written after the status. */
  async function told(name: string, last: string): Promise<string> {
    return rig.until(`kubectl describe to tell of ${name}`, async () => {
      const text = await described(name);
      return text.slice(text.indexOf('Events:')).includes(last) ? text : undefined;
    });
  }
});
