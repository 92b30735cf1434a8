import { afterAll, beforeAll, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Fault, moversOf, signal } from '../support/tidemark/faults.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { backUpNow, takePoint } from '../support/tidemark/points.ts';
import { expectWhole, SLOW, struck } from '../support/tidemark/survive.ts';

const STALL_SECONDS = 5;

/** What the silence of a repository looks like from the agent: a mover that says nothing more. */
const fallsSilent: Fault = {
  name: 'silence of the mover',
  strikes: async (tidemark) => signal(await moversOf(tidemark), 'SIGSTOP'),
};

const resources = new AsyncDisposableStack();
let tidemark: Installation;
let vm: StandInVm;

beforeAll(async () => {
  tidemark = resources.use(
    await installTidemark({ agentFlags: [...SLOW.agentFlags, `--stall-seconds=${STALL_SECONDS}`] }),
  );
  const { podsDir } = tidemark;
  const disks = [{ volume: 'root', kind: 'cbt', size: 16 * MiB }] as const;
  vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
  await tidemark.kubevirt.define(vm);
  await tidemark.kubevirt.start(vm, NODE);
});
afterAll(() => resources.disposeAsync());

test('a mover that falls silent is stopped, the status says so, and VM, chain and repository are as before', async () => {
  await vm.write('root', { pattern: 1, offset: 0, length: 4 * MiB });
  const parent = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'parent'));
  await vm.write('root', { pattern: 2, offset: 4 * MiB, length: 8 * MiB });
  const began = performance.now();
  const point = await struck(
    tidemark,
    vm,
    'silent',
    { step: 'the copy is under way', fault: fallsSilent },
    undefined,
    { backoffLimit: 0 },
  );
  expect(performance.now() - began).toBeLessThan((STALL_SECONDS + 60) * 1000);
  expect(point.backup.status).toMatchObject({
    phase: 'Failed',
    attempts: [{ reason: 'MoverStalled', message: expect.stringContaining(`for ${STALL_SECONDS} s`) }],
  });
  await expectWhole(tidemark, vm, point, parent);
  const next = await takePoint(tidemark, vm, () => backUpNow(tidemark, vm, 'next'));
  expect(next.backup.status).toMatchObject({ type: 'Incremental', plan: { parent: { name: 'parent' } } });
  await expectWhole(tidemark, vm, next, parent);
});
