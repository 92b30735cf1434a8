import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { eventually } from '../support/tidemark/kubevirt.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';

describe('the agent is killed in mid-copy', () => {
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

  const incoming = async (): Promise<readonly string[]> => {
    const all = await readdir(tidemark.repository, { recursive: true });
    return all.filter((path) => path.includes('.incoming-'));
  };
  const checkpoints = async () =>
    (await vm.virsh('checkpoint-list', vm.domain, '--name')).split('\n').filter((name) => name.trim() !== '');

  test.each([
    ['full', 'first'],
    ['incremental', 'second'],
  ])(
    'and started again: the %s backup ends well, the VM runs, and nothing is left over',
    async (kind, name) => {
      vm.keepWriting({
        volume: 'root',
        seed: 7,
        region: { offset: 0, length: 24 * MiB },
        burst: 16,
        everyMs: 50,
      });
      await new Promise((resolve) => setTimeout(resolve, 1500));
      let killed = false;
      const point = await takePoint(tidemark, vm, async () => {
        await backUpNow(tidemark, vm, name);
        await eventually(
          'a copy that is under way',
          async () => ((await incoming()).length > 1 ? true : undefined),
          60,
          20,
        );
        await eventually(
          'the report of its beginning',
          async () => (await tidemark.backup(name)).status?.execution?.pointInTime,
        );
        await tidemark.agent.kill('SIGKILL');
        killed = true;
        await tidemark.startAgent();
        return name;
      });
      expect(killed).toBe(true);
      const { status } = point.backup;
      expect(status).toMatchObject({ phase: 'Succeeded', execution: { attempt: 1 } });
      expect(status?.type).toBe(kind === 'full' ? 'Full' : 'Incremental');
      expect(await tidemark.agent.log()).toContain('goes on with the backup job of a killed agent');
      expect(await restoresExactly(tidemark, point)).toEqual(new Map([['root', true]]));
      expect(await vm.state()).toBe('running');
      await expect(vm.virsh('backup-dumpxml', vm.domain)).rejects.toThrow('no domain backup job present');
      expect(await checkpoints()).toEqual([status?.plan?.bitmap]);
      expect(await incoming()).toEqual([]);
      const siblings = await readdir(dirname(join(tidemark.repository, status?.plan?.path ?? '')));
      expect(siblings).toHaveLength(kind === 'full' ? 1 : 2);
    },
  );
});
