import { z } from 'zod';
import { adoptCheckpoint } from '../../src/node-agent/libvirt/bitmap.ts';
import { beginBackup } from '../../src/node-agent/libvirt/backup.ts';
import type { BackupDisk } from '../../src/node-agent/libvirt/backup-xml.ts';
import { type Domain, readDomain } from '../../src/node-agent/libvirt/domain.ts';
import { trackable } from '../../src/node-agent/libvirt/domain-xml.ts';
import { connectVirsh, type Virsh } from '../../src/node-agent/libvirt/virsh.ts';
import { MiB, run, type StandInVm, standInVm } from '../support/launcher/index.ts';

/** root: overlay; data: qcow2; logs: raw, which cannot be tracked. */
export function threeDisks(name: string): Promise<StandInVm> {
  const size = 16 * MiB;
  return standInVm({
    namespace: 'shop',
    name,
    disks: [
      { volume: 'root', kind: 'cbt', size },
      { volume: 'data', kind: 'qcow2', size },
      { volume: 'logs', kind: 'raw', size },
    ],
  });
}

export const tracked = ['vda', 'vdb'];

/** A client of the VM's libvirt as it is now: a restarted VM has another. */
export function virshOf(vm: StandInVm): Virsh {
  return connectVirsh({ socket: vm.launcher.shortSocket });
}

export const domainOf = (vm: StandInVm): Promise<Domain> => readDomain(virshOf(vm), vm.domain);

export const socketInside = (name: string) => `/var/run/kubevirt/sockets/${name}.sock`;

export interface Order {
  /** Names socket and scratch files. */
  readonly name: string;
  /** The new checkpoint, over every disk that can have one. */
  readonly checkpoint?: string;
  /** Volume → the checkpoint it stands on; the others are copied in full. */
  readonly incremental?: Readonly<Record<string, string>>;
  readonly scratchDirectory?: string;
}

/** Begins a backup of all disks, as the agent does. */
export async function begin(vm: StandInVm, order: Order) {
  const { disks } = await domainOf(vm);
  const scratchDirectory = order.scratchDirectory ?? '/var/run/kubevirt-ephemeral-disks';
  const backupDisks = disks.map((disk): BackupDisk => {
    const { target, volume = '' } = disk;
    const full = { target, exportName: volume, scratch: `${scratchDirectory}/${order.name}-${volume}` };
    const incremental = order.incremental?.[volume];
    if (incremental === undefined) return { ...full, mode: 'full' };
    return { ...full, mode: 'incremental', incremental, exportBitmap: 'dirty' };
  });
  const checkpoint = order.checkpoint && {
    name: order.checkpoint,
    disks: disks.map((disk) => ({ target: disk.target, tracked: trackable(disk) })),
  };
  const backup = { socket: socketInside(order.name), disks: backupDisks };
  return beginBackup(virshOf(vm), vm.domain, { backup, ...(checkpoint && { checkpoint }) });
}

/** The state of a checkpoint's bitmap on root and data. */
export async function adopt(vm: StandInVm, name: string, targets = tracked) {
  const checkpoint = { name, creationTimeSeconds: 1_795_456_627, targets };
  return Object.fromEntries(await adoptCheckpoint(virshOf(vm), await domainOf(vm), checkpoint));
}

const Extents = z.array(z.object({ offset: z.number(), length: z.number(), type: z.number() }));

/** Which ranges the running backup's export calls dirty, in bytes. */
export async function dirtyRanges(vm: StandInVm, name: string, volume: string) {
  const uri = `nbd+unix:///${volume}?socket=${vm.launcher.shortSocketsDir}/${name}.sock`;
  const { stdout } = await run(['nbdinfo', '--json', '--map=qemu:dirty-bitmap:dirty', uri]);
  const extents = Extents.parse(JSON.parse(stdout));
  return extents.filter(({ type }) => type === 1).map(({ offset, length }) => [offset, length]);
}

const BlockNodes = z.array(
  z.object({
    'node-name': z.string(),
    'dirty-bitmaps': z
      .array(z.object({ name: z.string().default(''), inconsistent: z.boolean().optional() }))
      .default([]),
  }),
);

/** Named bitmaps of every disk, as QEMU tells them: the judge of what our own code claims. */
export async function bitmapsOf(vm: StandInVm) {
  const nodes = BlockNodes.parse(await vm.qmp('query-named-block-nodes', { flat: true }));
  const { disks } = await domainOf(vm);
  return Object.fromEntries(
    disks.map(({ volume = '', sourceIndex }) => {
      const node = nodes.find((node) => node['node-name'] === `libvirt-${sourceIndex}-format`);
      const bitmaps = (node?.['dirty-bitmaps'] ?? []).map(({ name, inconsistent }) =>
        inconsistent === true ? `${name} (inconsistent)` : name,
      );
      return [volume, bitmaps.sort((a, b) => a.localeCompare(b))];
    }),
  );
}

/** Takes a bitmap away from one disk behind libvirt's back. */
export async function loseBitmap(vm: StandInVm, volume: string, name: string): Promise<void> {
  const disk = (await domainOf(vm)).disks.find((disk) => disk.volume === volume);
  await vm.qmp('block-dirty-bitmap-remove', { node: `libvirt-${disk?.sourceIndex}-format`, name });
}
