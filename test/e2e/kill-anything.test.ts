import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB } from '../support/launcher/index.ts';
import { type BeginRig, beginRig, struckInBegin } from '../support/tidemark/begin-rig.ts';
import { faults, guestFaults } from '../support/tidemark/faults.ts';
import type { Gate } from '../support/tidemark/gates.ts';
import type { Point } from '../support/tidemark/points.ts';
import { expectWhole, type Step, struck } from '../support/tidemark/survive.ts';

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

/** What is too quick to be seen from outside: each backup is held there until the fault has struck. */
const inTheBegin: readonly (readonly [gate: Gate, fault: string])[] = [
  ['begin.after', 'SIGKILL of the agent'],
  ['thaw.before', 'SIGKILL of the agent'],
];

describe('a process dies', () => {
  const resources = new AsyncDisposableStack();
  let rig: BeginRig;
  let parent: Point | undefined;
  let count = 0;

  beforeAll(async () => {
    rig = await beginRig(resources);
  });
  afterAll(() => resources.disposeAsync());

  async function survives(strike: (name: string) => Promise<Point>): Promise<void> {
    const { tidemark, vm } = rig;
    count += 1;
    await vm.write('root', { pattern: count, offset: (count % 10) * MiB, length: 6 * MiB });
    const point = await strike(`struck-${count}`);
    await expectWhole(tidemark, vm, point, parent);
    // There is time enough, and all is well again: each of them ends in a good backup.
    expect(point.backup.status?.phase).toBe('Succeeded');
    parent = point;
  }
  const called = (name: string) => [...faults, ...guestFaults].find((each) => each.name === name)!;

  test.each(inTheBegin)('held at %s: %s', (gate, fault) =>
    survives((name) => struckInBegin(rig, name, { gate, fault: called(fault) })),
  );

  test.each(rows)('when %s: %s', (step, fault) =>
    survives((name) => struck(rig.tidemark, rig.vm, name, { step, fault: called(fault) })),
  );
});
