import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Fault, faults, guestFaults } from '../support/tidemark/faults.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import type { Point } from '../support/tidemark/points.ts';
import { expectWhole, SLOW, type Step, steps, struck } from '../support/tidemark/survive.ts';

const FAULTS = Number(process.env['FAULTS'] ?? 1000);
const SEED = Number(process.env['SEED'] ?? 1);

/** The same seed makes the same rounds. */
const rounds = fc.sample(
  fc.record({
    step: fc.constantFrom(...(Object.keys(steps) as Step[])),
    fault: fc.constantFrom(...faults, ...faults, ...guestFaults),
    afterMs: fc.integer({ min: 0, max: 1500 }),
    pattern: fc.integer({ min: 1, max: 255 }),
    offset: fc.integer({ min: 0, max: 9 }).map((n) => n * MiB),
    length: fc.integer({ min: 1, max: 6 }).map((n) => n * MiB),
  }),
  { numRuns: FAULTS, seed: SEED },
);

const resources = new AsyncDisposableStack();
let tidemark: Installation;
let vm: StandInVm;

beforeAll(async () => {
  tidemark = resources.use(await installTidemark(SLOW));
  const { podsDir } = tidemark;
  const disks = [
    { volume: 'root', kind: 'cbt', size: 16 * MiB },
    { volume: 'data', kind: 'qcow2', size: 16 * MiB },
  ] as const;
  vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
  await tidemark.kubevirt.define(vm);
  await tidemark.kubevirt.start(vm, NODE);
});
afterAll(() => resources.disposeAsync());

test(`${FAULTS} random faults from seed ${SEED}: every point restores what the disks held`, async () => {
  let parent: Point | undefined;
  let good = 0;
  for (const [index, { step, fault, afterMs, ...write }] of rounds.entries()) {
    const round = `${index + 1}/${FAULTS}: ${fault.name}, ${afterMs} ms after ${step}`;
    for (const { volume } of vm.disks) await vm.write(volume, write);
    const late: Fault = {
      ...fault,
      strikes: async (...world) => {
        await sleep(afterMs);
        await fault.strikes(...world);
      },
    };
    const point = await struck(tidemark, vm, `round-${index + 1}`, { step, fault: late });
    const { phase, type, execution } = point.backup.status ?? {};
    process.stdout.write(`${round}: ${phase} ${type ?? ''} ${execution?.error?.reason ?? ''}\n`);
    await expectWhole(tidemark, vm, point, parent).catch((cause: unknown) => {
      throw new Error(`round ${round}`, { cause });
    });
    if (phase === 'Succeeded') {
      parent = point;
      good += 1;
    }
    for (const { file } of point.held.values()) await rm(file);
  }
  expect(good).toBeGreaterThan(FAULTS / 2);
});
