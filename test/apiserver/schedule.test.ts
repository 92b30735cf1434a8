import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { virtualMachines } from '../../src/crds/kubevirt.ts';
import { type VMBackup, vmBackups } from '../../src/crds/vmbackup.ts';
import { type VMBackupSchedule, vmBackupSchedules } from '../../src/crds/vmbackupschedule.ts';
import { SCHEDULE_LABEL } from '../../src/domain/labels.ts';
import { NAMESPACE, READY, REPOSITORY, Rig } from './controller-rig.ts';

const never = new AbortController().signal;

let rig: Rig;
beforeAll(async () => {
  rig = await Rig.start();
  await rig.agentFinds(READY);
  await rig.repositoryIs('Ready');
});
afterAll(async () => await rig?.[Symbol.asyncDispose]());

async function childrenOf(schedule: string): Promise<readonly VMBackup[]> {
  const all = await rig.admin.list(vmBackups, { namespace: NAMESPACE }, never);
  return all.filter(({ metadata }) => metadata.labels?.[SCHEDULE_LABEL] === schedule);
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

async function patch(kind: 'tmbs' | 'tmrepo', name: string, spec: object): Promise<void> {
  const namespace = kind === 'tmbs' ? ['-n', NAMESPACE] : [];
  await rig.cluster.kubectl([
    ...namespace,
    'patch',
    kind,
    name,
    '--type=merge',
    '-p',
    JSON.stringify({ spec }),
  ]);
}

async function runNow(name: string, token: string): Promise<VMBackupSchedule> {
  await patch('tmbs', name, { trigger: { manual: token } });
  return scheduleThat(name, ({ status }) => status?.lastManualTrigger === token && status.run === undefined);
}

describe('one schedule for many VMs', () => {
  const COUNT = 120;

  test('makes a backup for each with a known number of requests, and does not look at each of them again', async () => {
    const labels = { fleet: 'large' };
    for (let n = 0; n < COUNT; n++) {
      const metadata = { name: `fleet-${n}`, namespace: NAMESPACE, labels };
      const spec = { runStrategy: 'Halted', template: { spec: { domain: { devices: {} } } } };
      await rig.admin.create(virtualMachines, { metadata, spec }, never);
    }
    // Nobody takes them up: under maintenance they all wait.
    await patch('tmrepo', REPOSITORY, { maintenance: true });
    await rig.schedule('fleet', { vmSelector: { matchLabels: labels }, suspend: true });
    await scheduleThat('fleet', ({ status }) => status?.matchedVMs === COUNT);
    const before = await rig.requests();
    await runNow('fleet', 'first');
    expect(await childrenOf('fleet')).toHaveLength(COUNT);
    await rig.until('all of them to wait', async () => {
      const waiting = (await childrenOf('fleet')).filter(({ status }) =>
        status?.conditions?.some(({ reason }) => reason === 'RepositoryInMaintenance'),
      );
      return waiting.length === COUNT ? true : undefined;
    });
    const requests = (await rig.requests()) - before;
    // For each VM one create, one status and one event of its backup; and in all, a few looks of ours, of the schedule and of leases.
    expect(requests).toBeGreaterThanOrEqual(3 * COUNT);
    expect(requests).toBeLessThan(3 * COUNT + 80);
    expect(await rig.event('fleet', 'RunStarted')).toMatchObject({
      note: expect.stringContaining(`50 of ${COUNT} VMs at once, the others follow`),
    });
  });

  test('and those that wait are told of maintenance, and fail nobody when it ends', async () => {
    await rig.cluster.kubectl([
      '-n',
      NAMESPACE,
      'delete',
      'tmb',
      '-l',
      `${SCHEDULE_LABEL}=fleet`,
      '--wait=false',
    ]);
    await rig.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmbs', 'fleet']);
    await rig.cluster.kubectl(['-n', NAMESPACE, 'delete', 'vm', '-l', 'fleet=large', '--wait=false']);
    await rig.vm('kept');
    await rig.backup('kept-1', 'kept');
    await rig.because('kept-1', 'RepositoryInMaintenance');
    await patch('tmrepo', REPOSITORY, { maintenance: false });
    await rig.succeed('kept-1');
  });
});

describe('a full repository queue', () => {
  test('lets as many run as the repository allows, tells the others their place, and calls the next one', async () => {
    await patch('tmrepo', REPOSITORY, { maxConcurrentBackups: 1 });
    for (const name of ['q1', 'q2', 'q3']) await rig.vm(name);
    await rig.backup('queue-1', 'q1');
    await rig.planned('queue-1');
    await rig.backup('queue-2', 'q2');
    const second = await rig.because('queue-2', 'Queued');
    expect(second.status?.conditions?.[0]?.message).toBe(
      `Queued: 1st of 1 for repository '${REPOSITORY}'; 1 of 1 backups run in it (its spec.maxConcurrentBackups).`,
    );
    await rig.backup('queue-3', 'q3', { priority: 5 });
    await rig.because('queue-3', 'Queued');
    await rig.succeed('queue-1');
    // The one that matters more goes first, though it came later.
    await rig.planned('queue-3');
    expect((await rig.get(vmBackups, 'queue-2', NAMESPACE)).status).not.toHaveProperty('plan');
    await rig.succeed('queue-3');
    const last = await rig.succeed('queue-2');
    expect(last.status?.waitingSince).toBeDefined();
    await patch('tmrepo', REPOSITORY, { maxConcurrentBackups: 10 });
  });
});

describe('the history of a schedule', () => {
  test('keeps as many objects as wished, and never what the next incremental stands on', async () => {
    await rig.vm('lean');
    await rig.schedule('lean', {
      vmNames: ['lean'],
      suspend: true,
      successfulBackupsHistoryLimit: 2,
      template: { repository: REPOSITORY },
    });
    const made: string[] = [];
    for (const token of ['one', 'two', 'three', 'four']) {
      await runNow('lean', token);
      const child = (await childrenOf('lean')).find(({ metadata }) => !made.includes(metadata.name));
      made.push(child!.metadata.name);
      await rig.succeed(child!.metadata.name);
    }
    const left = await rig.until('two to be left', async () => {
      const children = await childrenOf('lean');
      return children.length === 2 ? children : undefined;
    });
    expect(left.map(({ metadata }) => metadata.name).sort()).toEqual(made.slice(2).sort());
    await runNow('lean', 'five');
    const fifth = (await childrenOf('lean')).find(({ metadata }) => !made.includes(metadata.name));
    expect((await rig.planned(fifth!.metadata.name)).status?.plan).toMatchObject({
      type: 'Incremental',
      parent: { name: made[3] },
      chain: { position: 4 },
    });
    const { status } = await scheduleThat(
      'lean',
      ({ status }) => status?.vms?.[0]?.lastSuccessfulTime !== undefined,
    );
    expect(status?.vms).toMatchObject([{ name: 'lean' }]);
    expect(status?.effectiveSchedule).toBe('0 0 1 1 * (UTC)');
  });
});
