import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { jobs } from '../../src/crds/core.ts';
import { virtualMachineInstances } from '../../src/crds/kubevirt.ts';
import { type VMBackup, vmBackups } from '../../src/crds/vmbackup.ts';
import { type VMBackupSchedule, vmBackupSchedules } from '../../src/crds/vmbackupschedule.ts';
import { vmRestores } from '../../src/crds/vmrestore.ts';
import { NAMESPACE, NODE, READY, Rig } from './controller-rig.ts';

const never = new AbortController().signal;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
});
afterAll(async () => await rig?.[Symbol.asyncDispose]());

function reasonsOf({ status }: VMBackup | VMBackupSchedule): Record<string, string> {
  return Object.fromEntries(
    (status?.conditions ?? []).map(({ type, status, reason }) => [`${type}=${status}`, reason]),
  );
}

async function children(schedule: string): Promise<readonly VMBackup[]> {
  const labelSelector = `backup.tidemark.dev/schedule=${schedule}`;
  return rig.admin.list(vmBackups, { namespace: NAMESPACE, labelSelector }, never);
}

async function scheduleThat(
  name: string,
  holds: (schedule: VMBackupSchedule) => boolean,
): Promise<VMBackupSchedule> {
  return rig.until(`schedule ${name}`, async () => {
    const schedule = await rig.get(vmBackupSchedules, name, NAMESPACE);
    return holds(schedule) ? schedule : undefined;
  });
}

function says(reason: string) {
  return ({ status }: VMBackupSchedule) => status?.conditions?.some((it) => it.reason === reason) ?? false;
}

describe('a backup that cannot begin', () => {
  test('waits while no agent has reported on the repository, and goes on when one does', async () => {
    await rig.repositoryIs('NoAgentReported');
    await rig.vm('early');
    await rig.backup('early-1', 'early');
    const waiting = await rig.because('early-1', 'RepositoryNotReady');
    expect(waiting.status).toMatchObject({
      phase: 'Pending',
      conditions: [
        { message: expect.stringContaining('No node agent gives a sign of life') },
        { type: 'Ready' },
      ],
    });
    await rig.agentFinds({ ready: false, reason: 'NotReachable', message: 'mount.nfs: Connection refused' });
    const { status } = await rig.repositoryIs('NotReachable');
    expect(status?.conditions?.[0]?.message).toContain('node-1: NotReachable: mount.nfs: Connection refused');
    await rig.agentFinds(READY);
    await rig.planned('early-1');
  });

  test.each([
    ['no-vm', { vmName: 'ghost' }, 'VMNotFound', "There is no VirtualMachine 'ghost' in namespace 'shop'"],
    [
      'no-repository',
      { vmName: 'early', repository: 'attic' },
      'RepositoryNotFound',
      "There is no VMBackupRepository 'attic'",
    ],
    [
      'no-volume',
      { vmName: 'lonely', volumes: { include: ['swap'] } },
      'VolumeNotFound',
      'its volumes: root, cloudinit',
    ],
    [
      'no-data',
      { vmName: 'lonely', volumes: { exclude: ['root'] } },
      'NothingToBackUp',
      'has no volume to back up',
    ],
  ] as const)('%s: says why, and what to do', async (name, { vmName, ...spec }, reason, sentence) => {
    if (vmName === 'lonely' && name === 'no-volume') await rig.vm('lonely');
    await rig.backup(name, vmName, spec);
    const waiting = await rig.because(name, reason);
    expect(waiting.status).toMatchObject({ phase: 'Pending' });
    expect(reasonsOf(waiting)).toEqual({ 'Reconciling=True': reason, 'Ready=Unknown': reason });
    expect(waiting.status?.conditions?.[0]?.message).toContain(sentence);
    expect(await rig.event(name, reason)).toMatchObject({ type: 'Warning' });
  });

  test('is taken up when the VM appears', async () => {
    await rig.because('no-vm', 'VMNotFound');
    await rig.vm('ghost');
    await rig.planned('no-vm');
  });

  test('fails when it could not begin within its deadline, and says what it waited for', async () => {
    await rig.backup('too-late', 'nobody', { startDeadlineSeconds: 10 });
    await rig.because('too-late', 'VMNotFound');
    const failed = await rig.because('too-late', 'StartDeadlineExceeded');
    expect(failed.status?.phase).toBe('Failed');
    expect(reasonsOf(failed)).toEqual({
      'Stalled=True': 'StartDeadlineExceeded',
      'Ready=False': 'StartDeadlineExceeded',
    });
    expect(failed.status?.conditions?.[0]?.message).toContain(
      "VMNotFound: There is no VirtualMachine 'nobody'",
    );
    // It is over: the VM comes too late.
    await rig.vm('nobody');
    await sleep(1000);
    expect((await rig.get(vmBackups, 'too-late', NAMESPACE)).status).toEqual(failed.status);
  });

  test("keeps out of the way of KubeVirt's own backup", async () => {
    await rig.vm('shared');
    const status = { phase: 'Running', nodeName: NODE, changedBlockTracking: { state: 'Enabled' } };
    const say = (changedBlockTracking: object) =>
      rig.admin.applyStatus(
        virtualMachineInstances,
        { name: 'shared', namespace: NAMESPACE },
        { ...status, changedBlockTracking },
        { fieldManager: 'virt-handler', force: true },
        never,
      );
    await say({ state: 'Enabled', backupStatus: { backupName: 'theirs' } });
    await rig.backup('shared-1', 'shared');
    await rig.because('shared-1', 'KubeVirtBackupRunning');
    await say({ state: 'Enabled' });
    await rig.planned('shared-1');
  });
});

describe('a schedule', () => {
  test('with immediate makes a backup for each VM at once, and records the slot', async () => {
    await rig.vm('red', ['root'], { tier: 'gold' });
    await rig.vm('blue', ['root'], { tier: 'gold' });
    await rig.vm('grey', ['root'], { tier: 'tin' });
    await rig.schedule('gold', { immediate: true, vmSelector: { matchLabels: { tier: 'gold' } } });
    const { metadata, status } = await scheduleThat('gold', ({ status }) => status?.active?.length === 2);
    expect(status).toMatchObject({
      lastScheduleTime: metadata.creationTimestamp,
      matchedVMs: 2,
      missedRuns: 0,
    });
    expect(Date.parse(status?.nextScheduleTime ?? '')).toBeGreaterThan(Date.now());
    const made = await children('gold');
    expect(made.map(({ spec }) => spec.vmName).sort()).toEqual(['blue', 'red']);
    for (const { metadata } of made) expect(metadata).not.toHaveProperty('ownerReferences');
    expect(await rig.event('gold', 'RunStarted')).toMatchObject({
      note: expect.stringContaining('has 2 backups'),
    });
    for (const { metadata } of made) await rig.succeed(metadata.name);
    const done = await scheduleThat('gold', ({ status }) => status?.active?.length === 0);
    expect(done.status?.lastSuccessfulTime).toBeDefined();
  });

  test('runs at its minute, on the chain of the run before, and leaves out a VM whose backup still runs', async () => {
    await rig.vm('fast');
    await rig.vm('slow');
    await rig.schedule('minutely', { schedule: '* * * * *', immediate: true, vmNames: ['fast', 'slow'] });
    await scheduleThat('minutely', ({ status }) => status?.active?.length === 2);
    const first = (await children('minutely')).find(({ spec }) => spec.vmName === 'fast');
    await rig.succeed(first?.metadata.name ?? '');
    const second = await rig.until(
      'the next minute',
      async () =>
        (await children('minutely')).find(
          ({ metadata, spec }) => spec.vmName === 'fast' && metadata.name !== first?.metadata.name,
        ),
      75_000,
    );
    expect((await rig.planned(second.metadata.name)).status?.plan).toMatchObject({
      type: 'Incremental',
      parent: { name: first?.metadata.name },
    });
    expect((await children('minutely')).filter(({ spec }) => spec.vmName === 'slow')).toHaveLength(1);
    expect(await rig.event('minutely', 'BackupStillRunning')).toMatchObject({
      type: 'Warning',
      note: expect.stringContaining('slow (minutely-slow-'),
    });
    await rig.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmbs', 'minutely']);
    await sleep(500);
    // Whoever deletes a schedule keeps its backups.
    expect(await children('minutely')).toHaveLength(3);
  });

  test.each([
    [
      'bad-cron',
      { schedule: '61 * * * *' },
      'InvalidSchedule',
      "schedule '61 * * * *' cannot be read",
      'Stalled=True',
    ],
    ['never', { schedule: '0 0 31 2 *' }, 'InvalidSchedule', 'never comes', 'Stalled=True'],
    [
      'bad-zone',
      { timeZone: 'Mars/Base' },
      'InvalidTimeZone',
      "timeZone 'Mars/Base' is not known",
      'Stalled=True',
    ],
    [
      'no-match',
      { vmSelector: { matchLabels: { tier: 'none' } } },
      'NoVMsMatched',
      'label the VMs',
      'Ready=False',
    ],
    [
      'no-such',
      { vmNames: ['phantom'], immediate: true },
      'VMNotFound',
      "vmNames lists 'phantom'",
      'Ready=False',
    ],
  ] as const)(
    '%s: says what is wrong, and makes nothing',
    async (name, spec, reason, sentence, condition) => {
      await rig.schedule(name, 'vmSelector' in spec ? spec : { vmNames: ['red'], ...spec });
      const schedule = await scheduleThat(name, says(reason));
      expect(reasonsOf(schedule)).toMatchObject({ [condition]: reason });
      expect(schedule.status?.conditions?.[0]?.message).toContain(sentence);
      expect(await rig.event(name, reason)).toMatchObject({ type: 'Warning' });
      expect(await children(name)).toEqual([]);
    },
  );

  test('goes on when it is corrected', async () => {
    const corrected = '{"spec":{"schedule":"0 2 * * *"}}';
    await rig.cluster.kubectl([
      '-n',
      NAMESPACE,
      'patch',
      'tmbs',
      'bad-cron',
      '--type=merge',
      '-p',
      corrected,
    ]);
    const { status } = await scheduleThat('bad-cron', says('Scheduled'));
    expect(status?.conditions).toMatchObject([
      { type: 'Ready', status: 'True', message: expect.stringContaining("'0 2 * * *' (UTC)") },
    ]);
  });

  test('that is suspended makes nothing', async () => {
    await rig.schedule('asleep', { vmNames: ['red'], immediate: true, suspend: true });
    const { status } = await scheduleThat('asleep', says('Suspended'));
    expect(status).not.toHaveProperty('nextScheduleTime');
    expect(await children('asleep')).toEqual([]);
  });
});

describe('a restore', () => {
  const claims = { prefix: 'back-' };
  const asked = async (name: string, backupName: string) => {
    await rig.create(vmRestores, name, { source: { backupName }, target: { claims } }, NAMESPACE);
    return await rig.until('what it does', async () => {
      const found = await rig.get(vmRestores, name, NAMESPACE);
      return found.status?.conditions === undefined ? undefined : found;
    });
  };

  test('of a backup that nobody knows says so, and waits', async () => {
    const { status } = await asked('lost', 'never-made');
    expect(status?.conditions).toMatchObject([
      { type: 'Stalled', status: 'True', reason: 'BackupNotFound' },
      { type: 'Ready', status: 'False' },
    ]);
  });

  test('begins with a Job that looks at the backup, and has no credentials', async () => {
    const source = (await rig.admin.list(vmBackups, { namespace: NAMESPACE }, never)).find(
      ({ status }) => status?.phase === 'Succeeded',
    );
    await asked('back', source?.metadata.name ?? '');
    const made = await rig.until('the Job', async () =>
      (await rig.admin.list(jobs, { namespace: NAMESPACE }, never)).at(0),
    );
    const raw = await rig.cluster.kubectl(['-n', NAMESPACE, 'get', 'job', made.metadata.name, '-o', 'json']);
    expect(raw).toContain('"automountServiceAccountToken": false');
    expect(raw).toContain('"--definitions"');
    await rig.admin.delete(vmRestores, { namespace: NAMESPACE, name: 'back' }, {}, never);
  });
});

describe('with all that wrong input around', () => {
  test('the controller rests: a handful of requests in ten seconds, and no error in its log', async () => {
    await rig.because('no-repository', 'RepositoryNotFound');
    const [requests, log] = [await rig.requests(), await rig.controller.log()];
    await sleep(10_000);
    // Ours: a look at the metrics is not counted. Watches that end and begin again may add some.
    expect((await rig.requests()) - requests).toBeLessThanOrEqual(12);
    const looks = (await rig.controller.log()).slice(log.length).split('"controller":').length - 1;
    expect(looks).toBeLessThanOrEqual(40);
    expect(log).not.toContain('reconcile failed');
    expect(log.split('"level":50')).toHaveLength(1);
  });
});
