import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { checkpointsOf, filesInPod, hasBackupJob, incomingIn } from '../support/tidemark/leftovers.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

describe('in mid-copy', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;

  beforeAll(async () => {
    // Slow enough that there is a middle to be killed in.
    tidemark = resources.use(await installTidemark({ agentFlags: [`--bandwidth-limit=${4 * MiB}`] }));
    vm = resources.use(
      await standInVm({
        namespace: NAMESPACE,
        name: 'db',
        podsDir: tidemark.podsDir,
        disks: [{ volume: 'root', kind: 'cbt', size: 32 * MiB }],
      }),
    );
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    await vm.write('root', { pattern: 0x41, offset: 0, length: 16 * MiB });
  });
  afterAll(() => resources.disposeAsync());

  /** Writes enough that the copy of an incremental takes seconds, too. */
  async function change(): Promise<void> {
    const writer = vm.keepWriting({
      volume: 'root',
      seed: 7,
      region: { offset: 0, length: 24 * MiB },
      burst: 16,
      everyMs: 50,
    });
    await sleep(1500);
    await writer.stop();
  }

  /** Begins a backup, and comes back in the middle of its copy. */
  async function untilMidCopy(name: string): Promise<void> {
    await backUpNow(tidemark, vm, name);
    const copying = async () => ((await incomingIn(tidemark.repository)).length > 1 ? true : undefined);
    await eventually('a copy that is under way', copying, 60, 20);
    const begun = async () => (await tidemark.backup(name)).status?.execution?.pointInTime;
    await eventually('the report of its beginning', begun);
  }

  async function expectNothingLeftBut(checkpoints: readonly (string | undefined)[]): Promise<void> {
    expect(await vm.state()).toBe('running');
    expect(await hasBackupJob(vm)).toBe(false);
    expect(await checkpointsOf(vm)).toEqual(checkpoints);
    expect(await filesInPod(vm)).toEqual([]);
    expect(await incomingIn(tidemark.repository)).toEqual([]);
  }

  test.each([
    ['Full', 'first', 1],
    ['Incremental', 'second', 2],
  ])('the agent is killed and started again: the %s backup ends well', async (type, name, directories) => {
    await change();
    const point = await takePoint(tidemark, vm, async () => {
      await untilMidCopy(name);
      await tidemark.agent.kill('SIGKILL');
      await tidemark.startAgent();
      return name;
    });
    const { status } = point.backup;
    expect(status).toMatchObject({ phase: 'Succeeded', type, execution: { attempt: 1 } });
    expect(await tidemark.agent.log()).toContain('goes on with the backup job of a killed agent');
    expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
    await expectNothingLeftBut([status?.plan?.bitmap]);
    const siblings = await readdir(dirname(join(tidemark.repository, status?.plan?.path ?? '')));
    expect(siblings).toHaveLength(directories);
  });

  test('the VMBackup is deleted: the job ends, and the chain is as it was before', async () => {
    const parent = (await tidemark.backup('second')).status?.plan?.bitmap;
    await change();
    await untilMidCopy('unwanted');
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmb', 'unwanted']);
    await eventually('the end of the job', async () => ((await hasBackupJob(vm)) ? undefined : true), 30);
    await eventually('an empty repository', async () =>
      (await incomingIn(tidemark.repository)).length === 0 ? true : undefined,
    );
    await eventually('only the checkpoint of the chain', async () =>
      (await checkpointsOf(vm)).length === 1 ? true : undefined,
    );
    await expectNothingLeftBut([parent]);
  });

  test('the VMBackup is deleted and made again under its name: the first one ends, the second is taken', async () => {
    await untilMidCopy('again');
    const first = (await tidemark.backup('again')).metadata.uid;
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmb', 'again']);
    const point = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'again'));
    expect(point.backup.metadata.uid).not.toBe(first);
    expect(point.backup.status).toMatchObject({ phase: 'Succeeded', plan: { parent: { name: 'second' } } });
    expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
    await expectNothingLeftBut([point.backup.status?.plan?.bitmap]);
  });

  test('the VMBackup is deleted while the agent is dead: the next agent ends the job that nobody asks for', async () => {
    const parent = (await tidemark.backup('again')).status?.plan?.bitmap;
    await change();
    await untilMidCopy('orphan');
    await tidemark.agent.kill('SIGKILL');
    expect(await hasBackupJob(vm)).toBe(true);
    await tidemark.cluster.kubectl(['-n', NAMESPACE, 'delete', 'tmb', 'orphan']);
    await tidemark.startAgent();
    await eventually('the end of the job', async () => ((await hasBackupJob(vm)) ? undefined : true), 30);
    await eventually('only the checkpoint of the chain', async () =>
      (await checkpointsOf(vm)).length === 1 ? true : undefined,
    );
    expect(await checkpointsOf(vm)).toEqual([parent]);
    expect(await vm.state()).toBe('running');
  });

  test('the agent is told to stop: it gives the VM back, and the next agent takes the backup', async () => {
    await change();
    const point = await takePoint(tidemark, vm, async () => {
      await untilMidCopy('interrupted');
      await tidemark.agent.kill('SIGTERM');
      expect(await hasBackupJob(vm)).toBe(false);
      const first = await tidemark.backup('interrupted');
      expect(first.status?.execution?.error?.reason).toBe('AgentStopped');
      await tidemark.startAgent();
      await eventually(
        'the second attempt',
        async () => {
          const { status } = await tidemark.backup('interrupted');
          return status?.execution?.attempt === 2 ? true : undefined;
        },
        90,
      );
      return 'interrupted';
    });
    expect(point.backup.status).toMatchObject({
      phase: 'Succeeded',
      type: 'Incremental',
      execution: { attempt: 2 },
    });
    expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
    await expectNothingLeftBut([point.backup.status?.plan?.bitmap]);
  });
});
