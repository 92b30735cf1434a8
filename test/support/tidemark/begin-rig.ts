import { join } from 'node:path';
import { MiB, scratchDirectory, type StandInVm, standInVm } from '../launcher/index.ts';
import type { Fault } from './faults.ts';
import { type Gate, type Gates, makeGates } from './gates.ts';
import { type Installation, installTidemark, NAMESPACE, NODE } from './installation.ts';
import { eventually } from './kubevirt.ts';
import { checkpointsOf } from './leftovers.ts';
import type { Point } from './points.ts';
import { serveSubresources, type Subresources } from './subresources.ts';
import { SLOW, struck } from './survive.ts';

/** A full defines no checkpoint anew. */
const NEVER_FULL = { fullEvery: 1000 };

/** A VM whose backups can be held at each gate of their begin. KubeVirt's part of a freeze is played; no guest is in it. */
export interface BeginRig {
  readonly tidemark: Installation;
  readonly vm: StandInVm;
  readonly kubevirt: Subresources;
  readonly gates: Gates;
}

export async function beginRig(resources: AsyncDisposableStack): Promise<BeginRig> {
  const scratch = resources.use(await scratchDirectory('tidemark-gates-'));
  const gates = await makeGates(join(scratch.path, 'gates'));
  const tidemark = resources.use(await installTidemark({ ...SLOW, agentBin: gates.bin }));
  const { podsDir } = tidemark;
  const disks = [{ volume: 'root', kind: 'cbt', size: 16 * MiB }] as const;
  const vm = resources.use(await standInVm({ namespace: NAMESPACE, name: 'db', podsDir, disks }));
  await tidemark.kubevirt.define(vm);
  await tidemark.kubevirt.start(vm, NODE);
  await connectAgent(tidemark, vm);
  const silent = { freeze: async () => {}, thaw: async () => {} };
  const kubevirt = resources.use(await serveSubresources(tidemark.cluster, [vm], silent));
  kubevirt.pass = (gate) => gates.pass(gate);
  return { tidemark, vm, kubevirt, gates };
}

/** KubeVirt says that the guest agent is there, as it does a while after each start. */
export async function connectAgent({ kubevirt }: Installation, vm: StandInVm): Promise<void> {
  await kubevirt.tell(vm, { conditions: [{ type: 'AgentConnected', status: 'True' }] });
}

/** Lets the fault strike while the backup of this name is held at the gate, and opens that when the world is whole again. */
export async function struckInBegin(
  { tidemark, vm, kubevirt, gates }: BeginRig,
  name: string,
  { gate, fault }: { readonly gate: Gate; readonly fault: Fault },
): Promise<Point> {
  // libvirt knows the checkpoint as long as the VM runs: only what it has lost is defined anew.
  if (gate.startsWith('redefine')) {
    for (const checkpoint of await checkpointsOf(vm))
      await vm.virsh('checkpoint-delete', vm.domain, checkpoint, '--metadata');
  }
  await gates.close(gate);
  const held: Fault = {
    ...fault,
    strikes: async (...world) => {
      if (!(await gates.isReached())) throw new Error(`nobody came to the gate ${gate}`);
      await fault.strikes(...world);
      await gates.open();
    },
  };
  try {
    const strike = { step: () => gates.isReached(), fault: held };
    const point = await struck(tidemark, vm, name, strike, undefined, NEVER_FULL);
    await eventually('the guest to be thawed', async () => !kubevirt.isFrozen(vm) || undefined, 20);
    return point;
  } finally {
    await gates.open();
  }
}
