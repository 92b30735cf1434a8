import { mkdir, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundle } from '../../hack/build/bundle.ts';
import { MiB, run, type StandInVm, scratchDirectory, standInVm } from '../support/launcher/index.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { restoresExactly } from '../support/tidemark/restore.ts';
import { EARLIER } from '../support/upgrade/earlier.ts';

/** While an upgrade rolls over the nodes, agents of before work for the controller of today. Their source is in this repository's history. */
describe('the node agent of an earlier commit, beside the controller of today', () => {
  const resources = new AsyncDisposableStack();
  const root = join(import.meta.dirname, '../..');
  let tidemark: Installation;
  let vm: StandInVm;
  let before: string;

  beforeAll(async () => {
    const scratch = resources.use(await scratchDirectory('tidemark-earlier-'));
    const source = join(scratch.path, 'source');
    before = join(scratch.path, 'programs');
    await mkdir(source);
    const archive = join(scratch.path, 'source.tar');
    await run(['git', '-C', root, 'archive', '--output', archive, basename(EARLIER), 'src', 'package.json']);
    await run(['tar', '--extract', '--file', archive, '--directory', source]);
    await symlink(join(root, 'node_modules'), join(source, 'node_modules'));
    await bundle(source, before, {
      'node-agent': 'src/node-agent/main.ts',
      mover: 'src/mover/main.ts',
      'mover-pack-worker': 'src/mover/pack-worker.ts',
      'mover-restore-worker': 'src/mover/restore-worker.ts',
    });
    tidemark = resources.use(await installTidemark({ agentPrograms: before }));
    const disks = [{ volume: 'root', kind: 'cbt', size: 32 * MiB }] as const;
    const { podsDir } = tidemark;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
  });
  afterAll(() => resources.disposeAsync());

  let offset = 0;
  async function backedUp(
    name: string,
  ): Promise<{ readonly type: string | undefined; readonly exact: boolean }> {
    await vm.write('root', { pattern: 0x41 + offset, offset: offset++ * MiB, length: 2 * MiB });
    const point = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, name));
    expect(point.backup.status).toMatchObject({ phase: 'Succeeded' });
    const same = await restoresExactly(tidemark, point);
    return { type: point.backup.status?.type, exact: [...same.values()].every(Boolean) };
  }

  test('takes a full and an incremental, which the mover of today restores exactly', async () => {
    expect(await backedUp('full')).toEqual({ type: 'Full', exact: true });
    expect(await backedUp('incremental')).toEqual({ type: 'Incremental', exact: true });
  });

  test('gives way to the agent of today, which carries the chain on', async () => {
    await tidemark.agent[Symbol.asyncDispose]();
    await tidemark.startAgent(tidemark.programs);
    expect(await backedUp('upgraded')).toEqual({ type: 'Incremental', exact: true });
  });

  test('carries it on after a rollback, too', async () => {
    await tidemark.agent[Symbol.asyncDispose]();
    await tidemark.startAgent(before);
    expect(await backedUp('rolled-back')).toEqual({ type: 'Incremental', exact: true });
  });
});
