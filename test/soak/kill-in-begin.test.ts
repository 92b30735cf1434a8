import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MiB } from '../support/launcher/index.ts';
import { type BeginRig, beginRig, struckInBegin } from '../support/tidemark/begin-rig.ts';
import { faults } from '../support/tidemark/faults.ts';
import { GATES } from '../support/tidemark/gates.ts';
import { backUpNow, type Point, takePoint } from '../support/tidemark/points.ts';
import { expectWhole } from '../support/tidemark/survive.ts';

const rows = GATES.flatMap((gate) => faults.map((fault) => ({ gate, fault })));

describe('every process, at every step of the begin', () => {
  const resources = new AsyncDisposableStack();
  let rig: BeginRig;
  let parent: Point | undefined;
  let count = 0;

  beforeAll(async () => {
    rig = await beginRig(resources);
    parent = await takePoint(rig.tidemark, rig.vm, () => backUpNow(rig.tidemark, rig.vm, 'first'));
    expect(parent.backup.status).toMatchObject({
      phase: 'Succeeded',
      execution: { quiesce: { result: 'Frozen' } },
    });
  });
  afterAll(() => resources.disposeAsync());

  test.each(rows)('$gate: $fault.name', async (row) => {
    const { tidemark, vm } = rig;
    count += 1;
    await vm.write('root', { pattern: count, offset: (count % 10) * MiB, length: 6 * MiB });
    const point = await struckInBegin(rig, `held-${count}`, row);
    await expectWhole(tidemark, vm, point, parent);
    if (point.backup.status?.phase === 'Succeeded') parent = point;
  });
});
