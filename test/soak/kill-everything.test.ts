import { afterAll, beforeAll, describe, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { faults } from '../support/tidemark/faults.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import type { Point } from '../support/tidemark/points.ts';
import { expectWhole, SLOW, type Step, steps, struck } from '../support/tidemark/survive.ts';

const rows = (Object.keys(steps) as Step[]).flatMap((step) => faults.map((fault) => ({ step, fault })));

describe('every process, at every step', () => {
  const resources = new AsyncDisposableStack();
  let tidemark: Installation;
  let vm: StandInVm;
  let parent: Point | undefined;
  let count = 0;

  beforeAll(async () => {
    tidemark = resources.use(await installTidemark(SLOW));
    const { podsDir } = tidemark;
    const disks = [{ volume: 'root', kind: 'cbt', size: 16 * MiB }] as const;
    vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
  });
  afterAll(() => resources.disposeAsync());

  test.each(rows)('when $step: $fault.name', async (row) => {
    count += 1;
    await vm.write('root', { pattern: count, offset: (count % 10) * MiB, length: 6 * MiB });
    const point = await struck(tidemark, vm, `struck-${count}`, row);
    await expectWhole(tidemark, vm, point, parent);
    if (point.backup.status?.phase === 'Succeeded') parent = point;
  });
});
