import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { faults, guestFaults } from '../support/tidemark/faults.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import type { Point } from '../support/tidemark/points.ts';
import { expectWhole, SLOW, type Step, struck } from '../support/tidemark/survive.ts';

/** A diagonal through the whole table: each process, and each step. `make soak` goes through all of it. */
const rows: readonly (readonly [step: Step, fault: string])[] = [
  ['it is planned', 'SIGKILL of the controller'],
  ["libvirt's job runs", 'SIGKILL of the agent'],
  ['the copy is under way', 'SIGKILL of the mover'],
  ['the copy is under way', 'SIGKILL of libvirtd'],
  ['the copy is under way', 'SIGKILL of the API server'],
  ['the data is committed', 'SIGKILL of the agent'],
  ['the copy is under way', 'a clean stop and start'],
  ['the copy is under way', 'SIGKILL of QEMU'],
];

describe('a process dies', () => {
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

  test.each(rows)('when %s: %s', async (step, name) => {
    count += 1;
    const fault = [...faults, ...guestFaults].find((each) => each.name === name)!;
    await vm.write('root', { pattern: count, offset: count * MiB, length: 6 * MiB });
    const point = await struck(tidemark, vm, `struck-${count}`, { step, fault });
    await expectWhole(tidemark, vm, point, parent);
    // There is time enough, and all is well again: each of them ends in a good backup.
    expect(point.backup.status?.phase).toBe('Succeeded');
    parent = point;
  });
});
