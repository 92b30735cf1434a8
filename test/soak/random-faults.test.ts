import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MiB, type StandInVm, standInVm } from '../support/launcher/index.ts';
import { type Fault, faults, guestFaults } from '../support/tidemark/faults.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from '../support/tidemark/installation.ts';
import { checkpointsOf } from '../support/tidemark/leftovers.ts';
import type { Point } from '../support/tidemark/points.ts';
import { expectWhole, SLOW, type Step, steps, struck, turns } from '../support/tidemark/survive.ts';

const FAULTS = Number(process.env['FAULTS'] ?? 1000);
const SEED = Number(process.env['SEED'] ?? 1);
/** A round mostly waits: so many VMs go through theirs side by side, and what strikes a part that they share strikes them all. */
const VMS = Number(process.env['VMS'] ?? 8);

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
const vms: StandInVm[] = [];
const inTurn = turns();
let tidemark: Installation;

beforeAll(async () => {
  const agentFlags = [...SLOW.agentFlags, `--max-backups=${VMS}`];
  tidemark = resources.use(await installTidemark({ ...SLOW, agentFlags }));
  const { podsDir } = tidemark;
  const disks = [
    { volume: 'root', kind: 'cbt', size: 16 * MiB },
    { volume: 'data', kind: 'qcow2', size: 16 * MiB },
  ] as const;
  for (let n = 1; n <= VMS; n += 1) {
    const vm = resources.use(await standInVm({ namespace: NAMESPACE, name: `db${n}`, podsDir, disks }));
    await tidemark.kubevirt.define(vm);
    await tidemark.kubevirt.start(vm, NODE);
    vms.push(vm);
  }
});
afterAll(() => resources.disposeAsync());

test(`${FAULTS} random faults from seed ${SEED}: every point restores what the disks held`, async () => {
  const left = rounds.entries();
  let good = 0;
  let failure: Error | undefined;

  const goThrough = async (vm: StandInVm): Promise<void> => {
    let parent: Point | undefined;
    for (const [index, { step, fault, afterMs, ...write }] of left) {
      const round = `${index + 1}/${FAULTS}, ${vm.name}: ${fault.name}, ${afterMs} ms after ${step}`;
      const late: Fault = {
        ...fault,
        strikes: async (...world) => {
          await sleep(afterMs);
          await fault.strikes(...world);
        },
      };
      try {
        for (const { volume } of vm.disks) await vm.write(volume, write);
        const point = await struck(tidemark, vm, `round-${index + 1}`, { step, fault: late }, inTurn);
        process.stdout.write(`${round}: ${told(point)}\n`);
        await expectWhole(tidemark, vm, point, parent);
        for (const { file } of point.held.values()) await rm(file);
        if (point.backup.status?.phase !== 'Succeeded') continue;
        parent = point;
        good += 1;
      } catch (cause) {
        // What follows is of a cluster that comes down.
        failure ??= new Error(`round ${round}\n${await known(vm, `round-${index + 1}`)}`, { cause });
      }
      if (failure !== undefined) return;
    }
  };

  await Promise.all(vms.map(goThrough));
  if (failure !== undefined) throw failure;
  expect(good).toBeGreaterThan(FAULTS / 2);
});

function told({ backup: { status } }: Point): string {
  const ends = status?.attempts?.map(({ reason }) => reason) ?? [];
  return `${status?.phase} ${status?.type ?? ''} (${ends.join(', ')})`;
}

/** All that is known of a round that failed, for whoever looks for the cause. */
async function known(vm: StandInVm, name: string): Promise<string> {
  const parts = [
    tidemark.backup(name).then((backup) => JSON.stringify(backup, undefined, 2)),
    checkpointsOf(vm).then((checkpoints) => `checkpoints: ${checkpoints.join(', ')}`),
    vm.virsh('qemu-monitor-command', vm.domain, '{"execute":"query-named-block-nodes"}'),
    ...[tidemark.controller, tidemark.agent].map(async (program) =>
      (await program.log())
        .split('\n')
        .filter((line) => line.includes(name))
        .join('\n'),
    ),
  ];
  return (await Promise.allSettled(parts))
    .map((part) => (part.status === 'fulfilled' ? part.value : String(part.reason)))
    .join('\n');
}
